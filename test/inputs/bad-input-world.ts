import { inject } from "vitest";
import type { Endpoints } from "../../local/local-service.ts";
import type { Allocation } from "../../shared/contract/allocations.ts";
import type { Erasure } from "../../shared/contract/erasures.ts";
import type { Export } from "../../shared/contract/exports.ts";
import type { Promocode } from "../../shared/contract/promocodes.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import type { Scope } from "../../shared/contract/route.ts";
import { ServiceClient } from "../support/service-client.ts";

export interface Keys {
  readonly admin: string;
  readonly read: string;
  readonly allocate: string;
  readonly revoked: string;
}

/** The service that all files of this run share, as a user of its sees it. */
export const sharedService = (): ServiceClient => new ServiceClient(inject("endpoints"));

/** A key for each scope, and one that was revoked before anybody used it. */
export const keysOf = async (endpoints: Endpoints): Promise<Keys> => {
  const { dynamodb } = endpoints;
  Object.assign(process.env, {
    TABLE_NAME: dynamodb.tableName,
    AWS_REGION: dynamodb.region,
    AWS_ACCESS_KEY_ID: dynamodb.accessKeyId,
    AWS_SECRET_ACCESS_KEY: dynamodb.secretAccessKey,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
  });
  // Only now: the module's client keeps the first endpoint that it used.
  const { createApiKey, revokeApiKey } = await import("../../shared/storage/api-keys.ts");
  const now = new Date();
  const make = (scope: Scope) => createApiKey({ name: scope, scopes: [scope], now });
  const [read, allocate, revoked] = await Promise.all([make("read"), make("allocate"), make("admin")]);
  await revokeApiKey(revoked.keyId, { now });
  return {
    admin: endpoints.apiKey,
    read: read.secret,
    allocate: allocate.secret,
    revoked: revoked.secret,
  };
};

/** Ids of things that belong together, by the names that parameters and fields have for them. */
export type Ids = Readonly<Record<string, string>>;

/** What calls can be made about. */
export interface World {
  /** Stay as they are: no call that ends something gets to know them. */
  readonly kept: readonly Ids[];
  /** May be archived, withdrawn, deactivated, erased. */
  readonly sacrificed: readonly Ids[];
}

const uniqueCodesOf = {
  consistent: { allocationMethod: "Consistent" },
  varying: { allocationMethod: "Varying" },
  dry: { onExhausted: "refuse" },
} as const;

/** On a machine that stands still for minutes a file takes so long; nothing is concluded from it. */
const patienceMs = 250_000;

/** A promocode of each kind, with a loaded file, a holder, an export and an audience. */
export const aWorld = async (client: ServiceClient): Promise<World> => {
  const kept = await Promise.all([
    aPromocode(client, "consistent", uniqueCodesOf.consistent, 2_000),
    aPromocode(client, "varying", uniqueCodesOf.varying, 2_000),
    aPromocode(client, "dry", uniqueCodesOf.dry, 1),
    aGlobalPromocode(client),
  ]);
  const sacrificed: Ids[] = [];
  for (let at = 0; at < 8; at++)
    sacrificed.push(await aPromocode(client, `sacrificed-${at}`, uniqueCodesOf.varying, 20));
  const { erasureId } = (await client.call<Erasure>("DELETE", "/v1/customers/erased%20before")).body;
  return { kept: kept.map((ids) => ({ ...ids, erasureId })), sacrificed };
};

const aPromocode = async (
  client: ServiceClient,
  name: string,
  settings: Partial<NonNullable<Promocode["uniqueCodes"]>>,
  codes: number,
): Promise<Ids> => {
  const { promocodeId, promotionId } = await client.promocode(settings);
  const texts = Array.from({ length: codes }, (_, at) => `${name.toUpperCase()}-${at}`);
  const fileId = await client.upload(promocodeId, texts.join("\n"));
  await client.loadedFiles(promocodeId, 1, patienceMs);
  const customerId = `holder of ${name}`;
  const held = await client.call<Allocation>("POST", `/v1/promocodes/${promocodeId}/allocations`, {
    customerId,
    occurenceId: "first send",
  });
  // Neither job is waited for: their records are what calls are made about.
  const { body: exported } = await client.call<Export>("POST", `/v1/promocodes/${promocodeId}/exports`, {});
  const { audience } = await client.announceAudience(promocodeId, { mode: "preview" });
  return {
    promotionId,
    promocodeId,
    fileId,
    customerId,
    audienceId: audience.audienceId,
    exportId: exported.exportId,
    uniqueCode: held.body.uniqueCode,
  };
};

const aGlobalPromocode = async (client: ServiceClient): Promise<Ids> => {
  const promotion = await client.call<Promotion>("POST", "/v1/promotions", {
    name: "Global",
    status: "active",
  });
  const { promotionId } = promotion.body;
  const promocode = await client.call<Promocode>("POST", "/v1/promocodes", {
    promotionId,
    type: "global",
    code: "EVERYBODY",
  });
  return { promotionId, promocodeId: promocode.body.promocodeId, customerId: "anybody at all" };
};
