import { type Answer, noContent, xmlAnswer } from "./answer.ts";
import {
  attributesFrom,
  checksumElements,
  checksumHeaders,
  headersOf,
  tagsFromHeader,
  tagsFromXml,
  writtenHeaders,
} from "./attributes.ts";
import { attributesOf, type Call, conditionsOf, document, placementOf } from "./call.ts";
import { nullVersion, type ObjectVersion } from "./catalog.ts";
import { checksumAlgorithmNamed } from "./checksums.ts";
import { judgeRead } from "./conditions.ts";
import { S3Error } from "./errors.ts";
import { maxPartNumber } from "./multipart.ts";
import type { ObjectStore } from "./object-store.ts";
import { Payload, payloadOf } from "./payload.ts";
import { allowPost, readPostForm } from "./presigned-post.ts";
import { type ByteRange, rangeFrom } from "./ranges.ts";
import { headerOf, integerOf, type S3Request } from "./request.ts";
import type { Authority } from "./signature.ts";
import { parseXml, renderXml } from "./xml.ts";

export async function putObject(call: Call): Promise<Answer> {
  const tags = tagsFromHeader(headerOf(call.request, "x-amz-tagging"));
  const payload = payloadOf(call.request, call.authentication);

  const version = await call.store.put(
    placementOf(call, "ObjectCreated:Put"),
    payload,
    attributesOf(call, tags),
  );

  return { status: 200, headers: { ...writtenHeaders(version), ...checksumHeaders(version.checksum) } };
}

/** A browser's upload: it carries its permission in the form, so it comes in without a signed request. */
export async function postObject(
  request: S3Request,
  bucket: string,
  store: ObjectStore,
  authority: Authority,
  now: Date,
): Promise<Answer> {
  const form = await readPostForm(request);
  const { key, fields, payload } = await allowPost(bucket, form, authority, now);
  const tagging = fields.get("tagging");
  const attributes = attributesFrom(fields, tagging === undefined ? {} : tagsFromXml(tagging));
  const cause = {
    event: "ObjectCreated:Post",
    requestId: request.id,
    sourceAddress: request.sourceAddress,
  } as const;

  const version = await store.put({ bucket, key, conditions: {}, cause }, payload, attributes);

  return postAnswer(request, bucket, version, fields);
}

function postAnswer(
  request: S3Request,
  bucket: string,
  version: ObjectVersion,
  fields: ReadonlyMap<string, string>,
): Answer {
  const etag = `"${version.etag}"`;
  const location = new URL(
    `/${bucket}/${encodeURIComponent(version.key)}`,
    `http://${headerOf(request, "host")}`,
  ).href;
  const headers = { ...writtenHeaders(version), ...checksumHeaders(version.checksum), location };

  const redirect = fields.get("success_action_redirect") ?? fields.get("redirect");
  if (redirect !== undefined && URL.canParse(redirect)) {
    const target = new URL(redirect);
    for (const [name, value] of Object.entries({ bucket, key: version.key, etag })) {
      target.searchParams.append(name, value);
    }
    return { status: 303, headers: { ...headers, location: target.href } };
  }
  const status = fields.get("success_action_status");
  if (status === "200") return { status: 200, headers };
  if (status !== "201") return { status: 204, headers };
  const xml = renderXml("PostResponse", { Location: location, Bucket: bucket, Key: version.key, ETag: etag });
  return { ...xmlAnswer(xml, headers), status: 201 };
}

export async function getObject(call: Call): Promise<Answer> {
  const { version, answer, range } = describeRead(call);
  if (answer.status === 304) return answer;
  return { ...answer, body: call.store.openReader(version, range) };
}

export async function headObject(call: Call): Promise<Answer> {
  return describeRead(call).answer;
}

function describeRead(call: Call): { version: ObjectVersion; answer: Answer; range: ByteRange | undefined } {
  const { request, store, bucket, key } = call;
  const version = store.find(bucket, key, request.query.get("versionId"));
  const verdict = judgeRead(version, conditionsOf(call));
  if (verdict === "failed") throw new S3Error("PreconditionFailed");

  const partNumber = integerOf(request.query.get("partNumber"), "partNumber", 1, maxPartNumber);
  const range =
    partNumber === undefined
      ? rangeFrom(headerOf(request, "range"), version.size)
      : rangeOfPart(version, partNumber);
  const { start, end } = range ?? { start: 0, end: version.size - 1 };
  const wantsChecksum =
    headerOf(request, "x-amz-checksum-mode")?.toUpperCase() === "ENABLED" && range === undefined;

  const headers = {
    ...headersOf(version),
    ...responseOverrides(request),
    ...(wantsChecksum ? checksumHeaders(version.checksum) : {}),
    ...(partNumber !== undefined && version.multipart
      ? { "x-amz-mp-parts-count": String(version.blobs.length) }
      : {}),
  };
  if (verdict === "not-modified") return { version, range, answer: { status: 304, headers } };
  const contentLength = { "content-length": String(end - start + 1) };
  if (!range) return { version, range, answer: { status: 200, headers: { ...headers, ...contentLength } } };
  const contentRange = { "content-range": `bytes ${start}-${end}/${version.size}` };
  return {
    version,
    range,
    answer: { status: 206, headers: { ...headers, ...contentLength, ...contentRange } },
  };
}

function rangeOfPart({ blobs, multipart, size }: ObjectVersion, partNumber: number): ByteRange | undefined {
  if (!multipart && partNumber === 1) return undefined;
  const part = multipart ? blobs[partNumber - 1] : undefined;
  if (!part) throw new S3Error("InvalidRange", undefined, { ActualObjectSize: String(size) });
  const start = blobs.slice(0, partNumber - 1).reduce((sum, blob) => sum + blob.size, 0);
  return { start, end: start + part.size - 1 };
}

const overridable = [
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
];

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Overriding response header values" */
function responseOverrides({ query }: S3Request): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of overridable) {
    const value = query.get(`response-${name}`);
    if (value === undefined) continue;
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new S3Error("InvalidArgument", "Header value cannot be represented using ISO-8859-1.", {
        ArgumentName: `response-${name}`,
      });
    }
    headers[name] = value;
  }
  return headers;
}

export async function deleteObject({ request, store, bucket, key }: Call): Promise<Answer> {
  const { versionId, isMarker } = await store.remove(bucket, key, request.query.get("versionId"));
  return {
    status: 204,
    headers: {
      ...(versionId === undefined ? {} : { "x-amz-version-id": versionId }),
      ...(isMarker ? { "x-amz-delete-marker": "true" } : {}),
    },
  };
}

const maxKeysPerDelete = 1000;

export async function deleteObjects(call: Call): Promise<Answer> {
  const { store, bucket } = call;
  store.bucket(bucket);
  const root = parseXml(await document(call), "Delete");
  const quiet = root.text("Quiet") === "true";
  const objects = root
    .children("Object")
    .map((one) => ({ key: one.requiredText("Key"), versionId: one.text("VersionId") }));
  if (objects.length === 0 || objects.length > maxKeysPerDelete) throw new S3Error("MalformedXML");

  const deleted = await Promise.all(
    objects.map(async ({ key, versionId }) => {
      const removal = await store.remove(bucket, key, versionId);
      return {
        Key: key,
        VersionId: versionId,
        DeleteMarker: removal.isMarker || undefined,
        DeleteMarkerVersionId: removal.isMarker ? removal.versionId : undefined,
      };
    }),
  );

  return xmlAnswer(renderXml("DeleteResult", { Deleted: quiet ? [] : deleted }));
}

export async function copyObject(call: Call): Promise<Answer> {
  const { request, store, bucket, key } = call;
  const source = findCopySource(call);
  const replacesMetadata = headerOf(request, "x-amz-metadata-directive") === "REPLACE";
  const replacesTags = headerOf(request, "x-amz-tagging-directive") === "REPLACE";
  if (source.bucket === bucket && source.version.key === key && !source.versionId && !replacesMetadata) {
    throw new S3Error(
      "InvalidRequest",
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  }
  const tags = replacesTags ? tagsFromHeader(headerOf(request, "x-amz-tagging")) : source.version.tags;
  const attributes = replacesMetadata ? attributesOf(call, tags) : { headers: source.version.headers, tags };

  const reader = store.openReader(source.version);
  try {
    const payload = new Payload(reader.chunks, copyClaims(call, source.version));
    const copy = await store.put(placementOf(call, "ObjectCreated:Copy"), payload, attributes);
    return xmlAnswer(
      renderXml("CopyObjectResult", {
        ETag: `"${copy.etag}"`,
        LastModified: new Date(copy.modifiedAt).toISOString(),
        ...checksumElements(copy.checksum),
      }),
      { ...writtenHeaders(copy), ...source.headers },
    );
  } finally {
    reader.close();
  }
}

/** The object named by `x-amz-copy-source`, if the `x-amz-copy-source-if-…` headers let it be copied. */
export function findCopySource(call: Call) {
  const header = headerOf(call.request, "x-amz-copy-source") ?? "";
  const [, bucket, encodedKey, versionId] =
    /^\/?([^/]+)\/([^?]+)(?:\?versionId=([^&]+))?$/.exec(header) ?? [];
  if (bucket === undefined || encodedKey === undefined) {
    throw new S3Error(
      "InvalidArgument",
      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
      {
        ArgumentName: "x-amz-copy-source",
        ArgumentValue: header,
      },
    );
  }
  const version = call.store.find(bucket, decodeCopySource(encodedKey), versionId);
  if (judgeRead(version, conditionsOf(call, "x-amz-copy-source-")) !== "holds")
    throw new S3Error("PreconditionFailed");
  const headers: Record<string, string> =
    version.versionId === nullVersion ? {} : { "x-amz-copy-source-version-id": version.versionId };
  return { bucket, version, versionId, headers };
}

function decodeCopySource(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll("+", "%20"));
  } catch {
    throw new S3Error("InvalidURI");
  }
}

/** A copy is checksummed anew, by the algorithm of its source unless another is asked for. */
export function copyClaims({ request }: Call, source: ObjectVersion) {
  const asked = headerOf(request, "x-amz-checksum-algorithm");
  const algorithm = asked === undefined ? source.checksum?.algorithm : checksumAlgorithmNamed(asked);
  return {
    size: undefined,
    md5: undefined,
    sha256: undefined,
    checksum: algorithm && { algorithm, value: undefined, followsInTrailer: false },
  };
}

export async function getTagging(call: Call): Promise<Answer> {
  const { tags } = versionOf(call);
  const tagSet = { Tag: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) };
  return xmlAnswer(renderXml("Tagging", { TagSet: tagSet }));
}

export async function putTagging(call: Call): Promise<Answer> {
  const tags = tagsFromXml(await document(call));
  await call.store.tag(call.bucket, versionOf(call), tags);
  return { status: 200 };
}

export async function deleteTagging(call: Call): Promise<Answer> {
  await call.store.tag(call.bucket, versionOf(call), {});
  return noContent;
}

export async function getAttributes(call: Call): Promise<Answer> {
  const version = versionOf(call);
  const wanted = new Set(
    (headerOf(call.request, "x-amz-object-attributes") ?? "").split(",").map((one) => one.trim()),
  );
  const element = <T>(name: string, value: T) => (wanted.has(name) ? value : undefined);
  return xmlAnswer(
    renderXml("GetObjectAttributesResponse", {
      ETag: element("ETag", version.etag),
      Checksum: element("Checksum", version.checksum && checksumElements(version.checksum)),
      ObjectParts: version.multipart
        ? element("ObjectParts", { PartsCount: version.blobs.length })
        : undefined,
      StorageClass: element("StorageClass", "STANDARD"),
      ObjectSize: element("ObjectSize", version.size),
    }),
    { "last-modified": new Date(version.modifiedAt).toUTCString() },
  );
}

function versionOf({ store, bucket, key, request }: Call): ObjectVersion {
  return store.find(bucket, key, request.query.get("versionId"));
}
