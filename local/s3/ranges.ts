import { S3Error } from "./errors.ts";

/** A run of bytes, both ends included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The run that a `Range` header asks for. Undefined means the whole object: also for a header that S3 does not
 * understand, such as several ranges at once. 416 if nothing of the object is in it.
 */
export function rangeFrom(header: string | undefined, size: number): ByteRange | undefined {
  const [, from = "", to = ""] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "") ?? [];
  if (from === "" && to === "") return undefined;

  if (from === "") {
    if (Number(to) === 0 || size === 0) throw unsatisfiable(header, size);
    return { start: Math.max(size - Number(to), 0), end: size - 1 };
  }
  const start = Number(from);
  if (to !== "" && Number(to) < start) return undefined;
  if (start >= size) throw unsatisfiable(header, size);
  return { start, end: to === "" ? size - 1 : Math.min(Number(to), size - 1) };
}

function unsatisfiable(header: string | undefined, size: number): S3Error {
  return new S3Error("InvalidRange", undefined, {
    RangeRequested: header ?? "",
    ActualObjectSize: String(size),
  });
}
