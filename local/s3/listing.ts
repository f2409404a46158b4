import type { Bucket, ObjectVersion, Version } from "./catalog.ts";
import { compareKeys } from "./keys.ts";

export interface ListingQuery {
  readonly prefix: string;
  readonly delimiter: string;
  /** Only what comes behind this key or common prefix. */
  readonly after: string;
  readonly limit: number;
}

/** A page: entries and common prefixes share one order and one limit. `next` continues behind the last of them. */
export interface Listing<Entry> {
  readonly entries: readonly Entry[];
  readonly commonPrefixes: readonly string[];
  readonly next: string | undefined;
}

/** The objects that are not deleted. */
export function listObjects(bucket: Bucket, query: ListingQuery): Listing<ObjectVersion> {
  return list(bucket, query, (versions) => {
    const newest = versions.at(-1);
    return newest?.kind === "object" ? [newest] : [];
  });
}

/** Every version and delete marker, newest first. A page never ends between two versions of a key. */
export function listVersions(bucket: Bucket, query: ListingQuery): Listing<Version> {
  return list(bucket, query, (versions) => versions.toReversed());
}

function list<Entry>(
  { keys, versionsByKey }: Bucket,
  { prefix, delimiter, after, limit }: ListingQuery,
  select: (versions: readonly Version[]) => readonly Entry[],
): Listing<Entry> {
  const entries: Entry[] = [];
  const commonPrefixes: string[] = [];
  let last = "";

  for (const key of keys.from(compareKeys(after, prefix) > 0 ? after : prefix)) {
    if (!key.startsWith(prefix)) break;
    const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const commonPrefix = cut === -1 ? undefined : key.slice(0, cut + delimiter.length);
    if (commonPrefix !== undefined && commonPrefix === commonPrefixes.at(-1)) continue;
    if (compareKeys(key, after) <= 0 || commonPrefix === after) continue;
    const selected = select(versionsByKey.get(key) ?? []);
    if (selected.length === 0) continue;

    if (entries.length + commonPrefixes.length >= limit) {
      return { entries, commonPrefixes, next: limit === 0 ? undefined : last };
    }
    if (commonPrefix === undefined) entries.push(...selected);
    else commonPrefixes.push(commonPrefix);
    last = commonPrefix ?? key;
  }
  return { entries, commonPrefixes, next: undefined };
}
