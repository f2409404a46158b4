import type { ObjectVersion } from "./catalog.ts";
import { S3Error } from "./errors.ts";

/** The conditional headers of a request. https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html */
export interface Conditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: string | undefined;
  readonly ifUnmodifiedSince?: string | undefined;
}

/** Reads `if-match` and its kin, or the `x-amz-copy-source-if-match` family. */
export function conditionsFrom(lookUp: (name: string) => string | undefined, prefix = ""): Conditions {
  return {
    ifMatch: lookUp(`${prefix}if-match`),
    ifNoneMatch: lookUp(`${prefix}if-none-match`),
    ifModifiedSince: lookUp(`${prefix}if-modified-since`),
    ifUnmodifiedSince: lookUp(`${prefix}if-unmodified-since`),
  };
}

export type ReadVerdict = "holds" | "not-modified" | "failed";

/** Judges a read in the order of RFC 9110, section 13.2.2: an entity tag that was given makes the date irrelevant. */
export function judgeRead({ etag, modifiedAt }: ObjectVersion, conditions: Conditions): ReadVerdict {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions;
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, etag)) return "failed";
  } else if (ifUnmodifiedSince !== undefined && isAfter(modifiedAt, ifUnmodifiedSince)) {
    return "failed";
  }
  if (ifNoneMatch !== undefined) {
    if (matches(ifNoneMatch, etag)) return "not-modified";
  } else if (ifModifiedSince !== undefined && !isAfter(modifiedAt, ifModifiedSince)) {
    return "not-modified";
  }
  return "holds";
}

/** Refuses a write that was to create something new or to replace one known state. `current` is undefined if there is no object. */
export function assertWritable(current: ObjectVersion | undefined, conditions: Conditions): void {
  const { ifMatch, ifNoneMatch } = conditions;
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch !== "*") throw new S3Error("NotImplemented");
    if (current) throw new S3Error("PreconditionFailed", undefined, { Condition: "If-None-Match" });
  }
  if (ifMatch !== undefined) {
    if (!current) throw new S3Error("NoSuchKey");
    if (!matches(ifMatch, current.etag)) {
      throw new S3Error("PreconditionFailed", undefined, { Condition: "If-Match" });
    }
  }
}

function matches(header: string, etag: string): boolean {
  return header.split(",").some((one) => {
    const candidate = one.trim();
    return candidate === "*" || candidate.replace(/^W\//, "").replace(/^"(.*)"$/, "$1") === etag;
  });
}

/** HTTP dates have whole seconds. A date that cannot be read is as good as none. */
function isAfter(modifiedAt: number, date: string): boolean {
  return Math.floor(modifiedAt / 1000) * 1000 > Date.parse(date);
}
