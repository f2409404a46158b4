import type { Attributes, ObjectVersion } from "./catalog.ts";
import { type Checksum, checksumHeader } from "./checksums.ts";
import { S3Error } from "./errors.ts";
import { parseXml, type XmlContent } from "./xml.ts";

const keptHeaders = new Set([
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
  "x-amz-website-redirect-location",
]);
const metadataPrefix = "x-amz-meta-";
const maxMetadataBytes = 2 * 1024;
const defaultContentType = "binary/octet-stream";

/** Keeps of the headers (or form fields, with lower-case names) what S3 keeps with an object, and refuses what this server could not honour. */
export function attributesFrom(
  given: Iterable<readonly [name: string, value: string]>,
  tags: Readonly<Record<string, string>>,
): Attributes {
  const headers: Record<string, string> = { "content-type": defaultContentType };
  let metadataBytes = 0;
  for (const [name, value] of given) {
    assertSupported(name, value);
    if (name.startsWith(metadataPrefix)) metadataBytes += name.length - metadataPrefix.length + value.length;
    if (!keptHeaders.has(name) && !name.startsWith(metadataPrefix)) continue;
    const kept = name === "content-encoding" ? withoutChunking(value) : value;
    if (kept !== "") headers[name] = kept;
  }
  if (metadataBytes > maxMetadataBytes) {
    throw new S3Error("MetadataTooLarge", undefined, {
      Size: String(metadataBytes),
      MaxSizeAllowed: String(maxMetadataBytes),
    });
  }
  return { headers, tags };
}

function assertSupported(name: string, value: string): void {
  if (name.startsWith("x-amz-server-side-encryption-customer-") || name.startsWith("x-amz-object-lock-")) {
    throw new S3Error("NotImplemented", undefined, { Header: name });
  }
  // New buckets have their ACLs disabled: https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
  const isAcl = name === "x-amz-acl" || name === "acl" || name.startsWith("x-amz-grant-");
  if (isAcl && !["private", "bucket-owner-full-control"].includes(value)) {
    throw new S3Error("AccessControlListNotSupported");
  }
}

/** `aws-chunked` is a matter of the transport and not of the object. */
function withoutChunking(encoding: string): string {
  return encoding
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one.toLowerCase() !== "aws-chunked")
    .join(",");
}

/** The headers that describe a version, on GET and HEAD. */
export function headersOf(version: ObjectVersion): Record<string, string> {
  const tagCount = Object.keys(version.tags).length;
  return {
    ...version.headers,
    ...writtenHeaders(version),
    "accept-ranges": "bytes",
    "last-modified": new Date(version.modifiedAt).toUTCString(),
    ...(tagCount > 0 ? { "x-amz-tagging-count": String(tagCount) } : {}),
  };
}

/** The headers that confirm a write. */
export function writtenHeaders({ etag, versionId }: ObjectVersion): Record<string, string> {
  return {
    etag: `"${etag}"`,
    "x-amz-server-side-encryption": "AES256",
    ...(versionId === "null" ? {} : { "x-amz-version-id": versionId }),
  };
}

export function checksumHeaders(checksum: Checksum | undefined): Record<string, string> {
  if (!checksum) return {};
  return { [checksumHeader(checksum.algorithm)]: checksum.value, "x-amz-checksum-type": checksum.type };
}

/** The elements of a checksum in an XML answer. */
export function checksumElements(checksum: Checksum | undefined): { [name: string]: XmlContent } {
  return checksum ? { [`Checksum${checksum.algorithm}`]: checksum.value } : {};
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html */
const maxTags = 10;

/** Reads tags as the header `x-amz-tagging` carries them: `a=1&b=2`. */
export function tagsFromHeader(header: string | undefined): Record<string, string> {
  return checkedTags([...new URLSearchParams(header ?? "")]);
}

export function tagsFromXml(xml: string): Record<string, string> {
  const tags = parseXml(xml, "Tagging").child("TagSet")?.children("Tag") ?? [];
  return checkedTags(tags.map((tag) => [tag.requiredText("Key"), tag.requiredText("Value")]));
}

function checkedTags(tags: readonly [key: string, value: string][]): Record<string, string> {
  const areValid = tags.every(([key, value]) => key.length >= 1 && key.length <= 128 && value.length <= 256);
  const byKey = Object.fromEntries(tags);
  if (!areValid || tags.length > maxTags || Object.keys(byKey).length < tags.length)
    throw new S3Error("InvalidTag");
  return byKey;
}
