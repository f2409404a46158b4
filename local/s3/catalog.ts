import type { S3EventRecord } from "aws-lambda";
import type { Blob } from "./blobs.ts";
import type { Checksum, ChecksumAlgorithm, ChecksumType } from "./checksums.ts";
import { SortedKeys } from "./keys.ts";

/** What the sender gave an object besides its bytes. */
export interface Attributes {
  /** Response headers by lower-case name: content-type and its kin, `x-amz-meta-*`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** One version of an object; the only one, with the id `null`, unless the bucket is versioned. Times are milliseconds. */
export interface ObjectVersion extends Attributes {
  readonly kind: "object";
  readonly key: string;
  readonly versionId: string;
  readonly modifiedAt: number;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly checksum?: Checksum | undefined;
  readonly blobs: readonly Blob[];
  /** Whether `blobs` are the parts of a multipart upload, which can be asked for by number. */
  readonly multipart: boolean;
}

/** The version that says: deleted. */
export interface DeleteMarker {
  readonly kind: "delete-marker";
  readonly key: string;
  readonly versionId: string;
  readonly modifiedAt: number;
}

export type Version = ObjectVersion | DeleteMarker;

/** The id of the version in a bucket that keeps one only. */
export const nullVersion = "null";

export interface UploadStart extends Attributes {
  readonly uploadId: string;
  readonly bucket: string;
  readonly key: string;
  readonly startedAt: number;
  readonly checksumAlgorithm?: ChecksumAlgorithm | undefined;
  readonly checksumType?: ChecksumType | undefined;
}

export interface Part {
  readonly number: number;
  readonly etag: string;
  readonly modifiedAt: number;
  readonly checksum?: Checksum | undefined;
  readonly blob: Blob;
}

export interface Upload extends UploadStart {
  readonly parts: ReadonlyMap<number, Part>;
}

/** An event that its receiver has not yet confirmed. */
export interface PendingEvent {
  readonly id: string;
  readonly bucket: string;
  readonly record: S3EventRecord;
}

export type VersioningStatus = "Enabled" | "Suspended";

export interface Bucket {
  readonly name: string;
  readonly createdAt: number;
  readonly versioning: VersioningStatus | undefined;
  /** XML documents by subresource, as they were put. */
  readonly configurations: ReadonlyMap<string, string>;
  readonly keys: SortedKeys;
  /** Oldest first, never empty. */
  readonly versionsByKey: ReadonlyMap<string, readonly Version[]>;
}

/** Everything that can happen here. Each change makes sense on its own, so that replaying them needs no other knowledge. */
export type Change =
  | { readonly type: "bucket-created"; readonly bucket: string; readonly at: number }
  | { readonly type: "bucket-deleted"; readonly bucket: string }
  | {
      readonly type: "bucket-configured";
      readonly bucket: string;
      readonly subresource: string;
      readonly xml?: string;
    }
  | { readonly type: "versioning-set"; readonly bucket: string; readonly status: VersioningStatus }
  | { readonly type: "version-added"; readonly bucket: string; readonly version: Version }
  | {
      readonly type: "version-removed";
      readonly bucket: string;
      readonly key: string;
      readonly versionId: string;
    }
  | {
      readonly type: "version-tagged";
      readonly bucket: string;
      readonly key: string;
      readonly versionId: string;
      readonly tags: Readonly<Record<string, string>>;
    }
  | { readonly type: "upload-started"; readonly upload: UploadStart }
  | { readonly type: "part-added"; readonly uploadId: string; readonly part: Part }
  /** The parts with these numbers live on in an object. */
  | { readonly type: "upload-ended"; readonly uploadId: string; readonly keptParts: readonly number[] }
  | { readonly type: "event-pending"; readonly event: PendingEvent }
  | { readonly type: "event-delivered"; readonly eventId: string };

interface MutableBucket extends Bucket {
  versioning: VersioningStatus | undefined;
  readonly configurations: Map<string, string>;
  readonly versionsByKey: Map<string, Version[]>;
}

interface MutableUpload extends Upload {
  readonly parts: Map<number, Part>;
}

/** All that is known, in memory; the journal remembers how it came about. */
export class Catalog {
  readonly #buckets = new Map<string, MutableBucket>();
  readonly #uploads = new Map<string, MutableUpload>();
  readonly #pendingEvents = new Map<string, PendingEvent>();

  /** `onReleased` is told of each blob that nothing refers to any more. */
  constructor(private readonly onReleased: (blobId: string) => void) {}

  bucket(name: string): Bucket | undefined {
    return this.#buckets.get(name);
  }

  buckets(): Bucket[] {
    return [...this.#buckets.values()];
  }

  /** The versions of a key, oldest first. */
  versions(bucket: string, key: string): readonly Version[] {
    return this.#buckets.get(bucket)?.versionsByKey.get(key) ?? [];
  }

  upload(uploadId: string): Upload | undefined {
    return this.#uploads.get(uploadId);
  }

  uploads(bucket: string): Upload[] {
    return [...this.#uploads.values()].filter((upload) => upload.bucket === bucket);
  }

  pendingEvents(): PendingEvent[] {
    return [...this.#pendingEvents.values()];
  }

  blobIds(): Set<string> {
    const ids = new Set<string>();
    for (const { versionsByKey } of this.#buckets.values()) {
      for (const version of [...versionsByKey.values()].flat())
        for (const id of blobIdsOf(version)) ids.add(id);
    }
    for (const { parts } of this.#uploads.values()) for (const { blob } of parts.values()) ids.add(blob.id);
    return ids;
  }

  readonly apply = (change: Change): void => {
    switch (change.type) {
      case "bucket-created":
        this.#buckets.set(change.bucket, {
          name: change.bucket,
          createdAt: change.at,
          versioning: undefined,
          configurations: new Map(),
          keys: new SortedKeys(),
          versionsByKey: new Map(),
        });
        break;
      case "bucket-deleted":
        this.#buckets.delete(change.bucket);
        for (const { uploadId } of this.uploads(change.bucket)) this.#endUpload(uploadId, []);
        break;
      case "bucket-configured": {
        const configurations = this.#buckets.get(change.bucket)?.configurations;
        if (change.xml === undefined) configurations?.delete(change.subresource);
        else configurations?.set(change.subresource, change.xml);
        break;
      }
      case "versioning-set": {
        const bucket = this.#buckets.get(change.bucket);
        if (bucket) bucket.versioning = change.status;
        break;
      }
      case "version-added":
        this.#addVersion(change.bucket, change.version);
        break;
      case "version-removed":
        this.#removeVersion(change.bucket, change.key, change.versionId);
        break;
      case "version-tagged": {
        const { tags, versionId } = change;
        const versions = this.#buckets.get(change.bucket)?.versionsByKey.get(change.key) ?? [];
        versions.forEach((version, at) => {
          if (version.versionId === versionId && version.kind === "object")
            versions[at] = { ...version, tags };
        });
        break;
      }
      case "upload-started":
        this.#uploads.set(change.upload.uploadId, { ...change.upload, parts: new Map() });
        break;
      case "part-added": {
        const parts = this.#uploads.get(change.uploadId)?.parts;
        const replaced = parts?.get(change.part.number);
        if (replaced) this.onReleased(replaced.blob.id);
        if (parts) parts.set(change.part.number, change.part);
        else this.onReleased(change.part.blob.id);
        break;
      }
      case "upload-ended":
        this.#endUpload(change.uploadId, change.keptParts);
        break;
      case "event-pending":
        this.#pendingEvents.set(change.event.id, change.event);
        break;
      case "event-delivered":
        this.#pendingEvents.delete(change.eventId);
        break;
    }
  };

  *snapshot(): Generator<readonly Change[]> {
    for (const { name, createdAt, versioning, configurations, versionsByKey } of this.#buckets.values()) {
      yield [{ type: "bucket-created", bucket: name, at: createdAt }];
      if (versioning) yield [{ type: "versioning-set", bucket: name, status: versioning }];
      for (const [subresource, xml] of configurations) {
        yield [{ type: "bucket-configured", bucket: name, subresource, xml }];
      }
      for (const versions of versionsByKey.values()) {
        yield versions.map((version) => ({ type: "version-added", bucket: name, version }));
      }
    }
    for (const { parts, ...upload } of this.#uploads.values()) {
      yield [{ type: "upload-started", upload }];
      for (const part of parts.values()) yield [{ type: "part-added", uploadId: upload.uploadId, part }];
    }
    for (const event of this.#pendingEvents.values()) yield [{ type: "event-pending", event }];
  }

  #addVersion(bucketName: string, version: Version): void {
    const bucket = this.#buckets.get(bucketName);
    if (!bucket) {
      for (const id of blobIdsOf(version)) this.onReleased(id);
      return;
    }
    // Only one version can have the id `null`: the newest.
    if (version.versionId === nullVersion) this.#removeVersion(bucketName, version.key, nullVersion);
    const versions = bucket.versionsByKey.get(version.key);
    if (versions) versions.push(version);
    else {
      bucket.versionsByKey.set(version.key, [version]);
      bucket.keys.add(version.key);
    }
  }

  #removeVersion(bucketName: string, key: string, versionId: string): void {
    const bucket = this.#buckets.get(bucketName);
    const versions = bucket?.versionsByKey.get(key) ?? [];
    const at = versions.findIndex((version) => version.versionId === versionId);
    for (const removed of at === -1 ? [] : versions.splice(at, 1)) {
      for (const id of blobIdsOf(removed)) this.onReleased(id);
    }
    if (versions.length === 0) {
      bucket?.versionsByKey.delete(key);
      bucket?.keys.delete(key);
    }
  }

  #endUpload(uploadId: string, keptParts: readonly number[]): void {
    const kept = new Set(keptParts);
    for (const { number, blob } of this.#uploads.get(uploadId)?.parts.values() ?? []) {
      if (!kept.has(number)) this.onReleased(blob.id);
    }
    this.#uploads.delete(uploadId);
  }
}

function blobIdsOf(version: Version): string[] {
  return version.kind === "object" ? version.blobs.map(({ id }) => id) : [];
}
