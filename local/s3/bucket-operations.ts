import { type Answer, noContent, xmlAnswer } from "./answer.ts";
import { type Call, document } from "./call.ts";
import type { ObjectVersion, Version } from "./catalog.ts";
import { corsRulesFromXml } from "./cors.ts";
import { S3Error, type S3ErrorCode } from "./errors.ts";
import { formEncodeKey } from "./keys.ts";
import { type Listing, listObjects, listVersions } from "./listing.ts";
import { integerOf } from "./request.ts";
import { parseXml, renderXml, type XmlContent } from "./xml.ts";

const owner = { ID: "local", DisplayName: "local" };

export async function listBuckets({ store }: Call): Promise<Answer> {
  const buckets = store.catalog.buckets().toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return xmlAnswer(
    renderXml("ListAllMyBucketsResult", {
      Owner: owner,
      Buckets: {
        Bucket: buckets.map(({ name, createdAt }) => ({
          Name: name,
          CreationDate: new Date(createdAt).toISOString(),
        })),
      },
    }),
  );
}

export async function createBucket({ store, bucket }: Call): Promise<Answer> {
  await store.createBucket(bucket);
  return { status: 200, headers: { location: `/${bucket}` } };
}

export async function headBucket({ store, bucket, region }: Call): Promise<Answer> {
  store.bucket(bucket);
  return { status: 200, headers: { "x-amz-bucket-region": region } };
}

export async function deleteBucket({ store, bucket }: Call): Promise<Answer> {
  await store.deleteBucket(bucket);
  return noContent;
}

export async function getLocation({ store, bucket, region }: Call): Promise<Answer> {
  store.bucket(bucket);
  // The first region has no name here: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
  return xmlAnswer(renderXml("LocationConstraint", region === "us-east-1" ? "" : region));
}

export async function putVersioning(call: Call): Promise<Answer> {
  const status = parseXml(await document(call), "VersioningConfiguration").text("Status");
  if (status !== "Enabled" && status !== "Suspended") throw new S3Error("MalformedXML");
  await call.store.setVersioning(call.bucket, status);
  return { status: 200 };
}

export async function getVersioning({ store, bucket }: Call): Promise<Answer> {
  return xmlAnswer(renderXml("VersioningConfiguration", { Status: store.bucket(bucket).versioning }));
}

interface Subresource {
  readonly root: string;
  /** What a bucket answers that has no such configuration: an error, or a document. */
  readonly absent: S3ErrorCode | { readonly document: string };
}

/** Configurations that are kept and read back. Only `cors` has an effect here. */
const subresources = {
  cors: { root: "CORSConfiguration", absent: "NoSuchCORSConfiguration" },
  encryption: {
    root: "ServerSideEncryptionConfiguration",
    absent: {
      document: renderXml("ServerSideEncryptionConfiguration", {
        Rule: { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" }, BucketKeyEnabled: false },
      }),
    },
  },
  lifecycle: { root: "LifecycleConfiguration", absent: "NoSuchLifecycleConfiguration" },
  notification: {
    root: "NotificationConfiguration",
    absent: { document: renderXml("NotificationConfiguration", undefined) },
  },
  ownershipControls: { root: "OwnershipControls", absent: "OwnershipControlsNotFoundError" },
  publicAccessBlock: {
    root: "PublicAccessBlockConfiguration",
    absent: "NoSuchPublicAccessBlockConfiguration",
  },
  tagging: { root: "Tagging", absent: "NoSuchTagSet" },
} as const satisfies Record<string, Subresource>;

export type SubresourceName = keyof typeof subresources;
export const subresourceNames: readonly SubresourceName[] = [
  "cors",
  "encryption",
  "lifecycle",
  "notification",
  "ownershipControls",
  "publicAccessBlock",
  "tagging",
];

export function putConfiguration(name: SubresourceName) {
  return async (call: Call): Promise<Answer> => {
    const xml = await document(call);
    parseXml(xml, subresources[name].root);
    if (name === "cors" && corsRulesFromXml(xml).length === 0) throw new S3Error("MalformedXML");
    await call.store.configure(call.bucket, name, xml);
    return { status: 200 };
  };
}

export function getConfiguration(name: SubresourceName) {
  return async ({ store, bucket }: Call): Promise<Answer> => {
    const { absent }: Subresource = subresources[name];
    const xml = store.bucket(bucket).configurations.get(name);
    if (xml !== undefined) return xmlAnswer(xml);
    if (typeof absent === "string") throw new S3Error(absent, undefined, { BucketName: bucket });
    return xmlAnswer(absent.document);
  };
}

export function deleteConfiguration(name: SubresourceName) {
  return async ({ store, bucket }: Call): Promise<Answer> => {
    await store.configure(bucket, name, undefined);
    return noContent;
  };
}

const maxPageSize = 1000;

export async function listObjectsV2({ store, bucket, request }: Call): Promise<Answer> {
  const { query } = request;
  const token = query.get("continuation-token");
  const startAfter = query.get("start-after") ?? "";
  const page = pageOf(query, "max-keys");
  const listing = listObjects(store.bucket(bucket), {
    ...page,
    after: token === undefined ? startAfter : Buffer.from(token, "base64url").toString("utf8"),
  });
  const encode = keyEncoder(query.get("encoding-type"));

  return xmlAnswer(
    renderXml("ListBucketResult", {
      ...describePage(bucket, page, listing, encode, query.get("encoding-type")),
      StartAfter: startAfter === "" ? undefined : encode(startAfter),
      ContinuationToken: token,
      NextContinuationToken:
        listing.next === undefined ? undefined : Buffer.from(listing.next).toString("base64url"),
      KeyCount: listing.entries.length + listing.commonPrefixes.length,
      Contents: listing.entries.map((version) => ({
        ...describe(version, encode),
        Owner: query.get("fetch-owner") === "true" ? owner : undefined,
      })),
    }),
  );
}

export async function listObjectsV1({ store, bucket, request }: Call): Promise<Answer> {
  const { query } = request;
  const marker = query.get("marker") ?? "";
  const page = pageOf(query, "max-keys");
  const listing = listObjects(store.bucket(bucket), { ...page, after: marker });
  const encode = keyEncoder(query.get("encoding-type"));

  return xmlAnswer(
    renderXml("ListBucketResult", {
      ...describePage(bucket, page, listing, encode, query.get("encoding-type")),
      Marker: encode(marker),
      NextMarker: listing.next === undefined || page.delimiter === "" ? undefined : encode(listing.next),
      Contents: listing.entries.map((version) => ({ ...describe(version, encode), Owner: owner })),
    }),
  );
}

export async function listObjectVersions({ store, bucket, request }: Call): Promise<Answer> {
  const { query } = request;
  const keyMarker = query.get("key-marker") ?? "";
  const page = pageOf(query, "max-keys");
  const listing = listVersions(store.bucket(bucket), { ...page, after: keyMarker });
  const encode = keyEncoder(query.get("encoding-type"));
  const describeVersion = (version: Version) => ({
    VersionId: version.versionId,
    IsLatest: store.catalog.versions(bucket, version.key).at(-1) === version,
    Owner: owner,
  });

  return xmlAnswer(
    renderXml("ListVersionsResult", {
      ...describePage(bucket, page, listing, encode, query.get("encoding-type")),
      KeyMarker: encode(keyMarker),
      NextKeyMarker: listing.next === undefined ? undefined : encode(listing.next),
      Version: listing.entries
        .filter((version) => version.kind === "object")
        .map((version) => ({ ...describe(version, encode), ...describeVersion(version) })),
      DeleteMarker: listing.entries
        .filter((version) => version.kind === "delete-marker")
        .map((version) => ({
          Key: encode(version.key),
          LastModified: new Date(version.modifiedAt).toISOString(),
          ...describeVersion(version),
        })),
    }),
  );
}

interface Page {
  readonly prefix: string;
  readonly delimiter: string;
  readonly limit: number;
}

function pageOf(query: Call["request"]["query"], limitName: string): Page {
  const limit = integerOf(query.get(limitName), limitName, 0, Number.MAX_SAFE_INTEGER) ?? maxPageSize;
  return {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    limit: Math.min(limit, maxPageSize),
  };
}

type KeyEncoder = (key: string) => string;

function keyEncoder(encodingType: string | undefined): KeyEncoder {
  if (encodingType === undefined) return (key) => key;
  if (encodingType !== "url")
    throw new S3Error("InvalidArgument", "Invalid Encoding Method specified in Request");
  return formEncodeKey;
}

function describePage(
  bucket: string,
  { prefix, delimiter, limit }: Page,
  { commonPrefixes, next }: Listing<unknown>,
  encode: KeyEncoder,
  encodingType: string | undefined,
): { [name: string]: XmlContent } {
  return {
    Name: bucket,
    Prefix: encode(prefix),
    Delimiter: delimiter === "" ? undefined : encode(delimiter),
    MaxKeys: limit,
    EncodingType: encodingType,
    IsTruncated: next !== undefined,
    CommonPrefixes: commonPrefixes.map((one) => ({ Prefix: encode(one) })),
  };
}

function describe({ key, modifiedAt, etag, size, checksum }: ObjectVersion, encode: KeyEncoder) {
  return {
    Key: encode(key),
    LastModified: new Date(modifiedAt).toISOString(),
    ETag: `"${etag}"`,
    ChecksumAlgorithm: checksum?.algorithm,
    Size: size,
    StorageClass: "STANDARD",
  };
}
