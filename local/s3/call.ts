import { attributesFrom } from "./attributes.ts";
import type { Attributes } from "./catalog.ts";
import { type Conditions, conditionsFrom } from "./conditions.ts";
import type { MultipartUploads } from "./multipart.ts";
import type { CreationEvent } from "./notifications.ts";
import type { ObjectStore, Placement } from "./object-store.ts";
import { payloadOf, readDocument } from "./payload.ts";
import { headerOf, type S3Request } from "./request.ts";
import type { Authentication } from "./signature.ts";

/** A request that is allowed, with what it is carried out on. Bucket and key are empty where the operation has none. */
export interface Call {
  readonly request: S3Request;
  readonly authentication: Authentication;
  readonly bucket: string;
  readonly key: string;
  readonly region: string;
  readonly store: ObjectStore;
  readonly uploads: MultipartUploads;
}

/** The body, verified, where it is a document. */
export function document({ request, authentication }: Call): Promise<string> {
  return readDocument(payloadOf(request, authentication));
}

export function attributesOf({ request }: Call, tags: Readonly<Record<string, string>>): Attributes {
  const names = Object.keys(request.headers);
  return attributesFrom(
    names.map((name) => [name, headerOf(request, name) ?? ""] as const),
    tags,
  );
}

export function conditionsOf({ request }: Call, prefix?: string): Conditions {
  return conditionsFrom((name) => headerOf(request, name), prefix);
}

/** Where the object of this call goes. */
export function placementOf(call: Call, event: CreationEvent): Placement {
  const { bucket, key, request } = call;
  return {
    bucket,
    key,
    conditions: conditionsOf(call),
    cause: { event, requestId: request.id, sourceAddress: request.sourceAddress },
  };
}
