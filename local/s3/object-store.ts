import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Blob, type BlobReader, Blobs } from "./blobs.ts";
import {
  type Attributes,
  type Bucket,
  Catalog,
  type Change,
  nullVersion,
  type ObjectVersion,
  type Version,
  type VersioningStatus,
} from "./catalog.ts";
import { assertWritable, type Conditions } from "./conditions.ts";
import { S3Error } from "./errors.ts";
import { Journal } from "./journal.ts";
import { Locks } from "./locks.ts";
import { type Cause, Notifier, type Subscription } from "./notifications.ts";
import type { Payload } from "./payload.ts";
import type { ByteRange } from "./ranges.ts";

export interface ObjectStoreSettings {
  readonly directory: string;
  readonly region: string;
  /** By bucket. */
  readonly subscriptions: ReadonlyMap<string, Subscription>;
}

/** Where a new object goes, under which conditions, and why. */
export interface Placement {
  readonly bucket: string;
  readonly key: string;
  readonly conditions: Conditions;
  readonly cause: Cause;
}

/** A version that is complete but for its place in the history of its key. */
export type VersionDraft = Omit<ObjectVersion, "kind" | "key" | "versionId" | "modifiedAt">;

/** What a deletion left: a marker, or one version less. */
export interface Removal {
  readonly versionId: string | undefined;
  readonly isMarker: boolean;
}

const maxKeyBytes = 1024;

/**
 * Buckets and objects on disk. A write resolves when it is durable; an object is visible whole or not at all.
 *
 *     bytes -> blobs/<random id>, fsync -> one line in journal, fsync -> visible -> answered -> receivers notified
 */
export class ObjectStore {
  readonly #locks = new Locks();

  private constructor(
    readonly catalog: Catalog,
    private readonly journal: Journal<Change>,
    private readonly blobs: Blobs,
    private readonly notifier: Notifier,
  ) {}

  /** Takes up the state in the directory; events that were not confirmed are sent again. */
  static async open({ directory, region, subscriptions }: ObjectStoreSettings): Promise<ObjectStore> {
    await mkdir(directory, { recursive: true });
    const blobs = await Blobs.open(join(directory, "blobs"));

    // While the journal is replayed, blobs come and go that no longer exist: the sweep below deletes what is left over.
    let replayed = false;
    const catalog = new Catalog((blobId) => {
      if (replayed) blobs.release(blobId);
    });
    const journal = await Journal.open<Change>(join(directory, "journal.jsonl"), catalog);
    replayed = true;
    const owned = catalog.blobIds();
    await blobs.sweep((id) => owned.has(id));

    const notifier = new Notifier(region, subscriptions, (eventId) =>
      journal.append([{ type: "event-delivered", eventId }]),
    );
    for (const event of catalog.pendingEvents()) notifier.deliver(event);
    return new ObjectStore(catalog, journal, blobs, notifier);
  }

  /** Lets go of the directory. Calls under way fail; events under way are sent again after the next start. */
  async close(): Promise<void> {
    this.notifier.stop();
    await this.journal.close();
  }

  bucket(name: string): Bucket {
    const bucket = this.catalog.bucket(name);
    if (!bucket) throw new S3Error("NoSuchBucket", undefined, { BucketName: name });
    return bucket;
  }

  async createBucket(name: string): Promise<void> {
    assertBucketName(name);
    await this.#locks.run(name, async () => {
      if (this.catalog.bucket(name))
        throw new S3Error("BucketAlreadyOwnedByYou", undefined, { BucketName: name });
      await this.commit([{ type: "bucket-created", bucket: name, at: Date.now() }]);
    });
  }

  async deleteBucket(name: string): Promise<void> {
    await this.#locks.run(name, async () => {
      if (this.bucket(name).keys.size > 0)
        throw new S3Error("BucketNotEmpty", undefined, { BucketName: name });
      await this.commit([{ type: "bucket-deleted", bucket: name }]);
    });
  }

  async setVersioning(bucket: string, status: VersioningStatus): Promise<void> {
    this.bucket(bucket);
    await this.commit([{ type: "versioning-set", bucket, status }]);
  }

  /** Keeps the XML of a subresource such as `cors`; without XML it is removed. */
  async configure(bucket: string, subresource: string, xml: string | undefined): Promise<void> {
    this.bucket(bucket);
    await this.commit([
      { type: "bucket-configured", bucket, subresource, ...(xml === undefined ? {} : { xml }) },
    ]);
  }

  /** The newest version, or the one asked for. */
  find(bucket: string, key: string, versionId?: string): ObjectVersion {
    this.bucket(bucket);
    const versions = this.catalog.versions(bucket, key);
    const version =
      versionId === undefined ? versions.at(-1) : versions.find((one) => one.versionId === versionId);
    if (version?.kind === "object") return version;

    const markerHeaders: Record<string, string> = version
      ? { "x-amz-delete-marker": "true", "x-amz-version-id": version.versionId }
      : {};
    if (versionId === undefined) throw new S3Error("NoSuchKey", undefined, { Key: key }, markerHeaders);
    if (version) throw new S3Error("MethodNotAllowed", undefined, { Method: "GET" }, markerHeaders);
    throw new S3Error("NoSuchVersion", undefined, { Key: key, VersionId: versionId });
  }

  openReader({ blobs, size }: ObjectVersion, range: ByteRange = { start: 0, end: size - 1 }): BlobReader {
    return this.blobs.openReader(blobs, range.start, range.end);
  }

  /** Stores what the payload brings as an object. */
  async put(placement: Placement, payload: Payload, attributes: Attributes): Promise<ObjectVersion> {
    this.bucket(placement.bucket);
    assertKey(placement.key);
    return this.store(payload, async (blob) => {
      const { md5, size, checksum } = payload.digest;
      return this.commitObject(placement, {
        ...attributes,
        size,
        etag: md5.toString("hex"),
        checksum,
        blobs: [blob],
        multipart: false,
      });
    });
  }

  /** Brings the payload onto the disk and commits it; if that fails, nothing stays behind. */
  async store<T>(payload: Payload, commit: (blob: Blob) => Promise<T>): Promise<T> {
    const blob = await this.blobs.write(payload.chunks());
    try {
      return await commit(blob);
    } catch (reason) {
      this.blobs.release(blob.id);
      throw reason;
    }
  }

  /** Makes a version the newest of its key, together with its event and the changes that belong to it. */
  async commitObject(
    { bucket, key, conditions, cause }: Placement,
    draft: VersionDraft,
    alongside: readonly Change[] = [],
  ): Promise<ObjectVersion> {
    // The lock keeps the condition true until the write is done.
    return this.#locks.run(`${bucket}/${key}`, async () => {
      const newest = this.catalog.versions(bucket, key).at(-1);
      assertWritable(newest?.kind === "object" ? newest : undefined, conditions);

      const version: ObjectVersion = { kind: "object", key, ...this.#nextPlace(bucket), ...draft };
      const event = this.notifier.eventFor(bucket, version, cause);
      await this.commit([
        { type: "version-added", bucket, version },
        ...(event ? [{ type: "event-pending", event } as const] : []),
        ...alongside,
      ]);
      // A bucket may be deleted while an object is on its way to it.
      this.bucket(bucket);
      if (event) this.notifier.deliver(event);
      return version;
    });
  }

  /** Removes the version asked for, or, without one, hides the object behind a marker if the bucket is versioned. */
  async remove(bucket: string, key: string, versionId: string | undefined): Promise<Removal> {
    return this.#locks.run(`${bucket}/${key}`, async () => {
      const { versioning } = this.bucket(bucket);
      if (versionId === undefined && versioning !== undefined) {
        const marker: Version = { kind: "delete-marker", key, ...this.#nextPlace(bucket) };
        await this.commit([{ type: "version-added", bucket, version: marker }]);
        return { versionId: marker.versionId, isMarker: true };
      }
      const removed = this.catalog
        .versions(bucket, key)
        .find((version) => version.versionId === (versionId ?? nullVersion));
      if (removed)
        await this.commit([{ type: "version-removed", bucket, key, versionId: removed.versionId }]);
      return { versionId, isMarker: removed?.kind === "delete-marker" };
    });
  }

  async tag(bucket: string, version: ObjectVersion, tags: Readonly<Record<string, string>>): Promise<void> {
    const { key, versionId } = version;
    await this.commit([{ type: "version-tagged", bucket, key, versionId, tags }]);
  }

  commit(changes: readonly Change[]): Promise<void> {
    return this.journal.append(changes);
  }

  #nextPlace(bucket: string): { versionId: string; modifiedAt: number } {
    const isVersioned = this.bucket(bucket).versioning === "Enabled";
    return {
      versionId: isVersioned ? randomBytes(24).toString("base64url") : nullVersion,
      modifiedAt: Date.now(),
    };
  }
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
function assertBucketName(name: string): void {
  if (/^(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/.test(name)) return;
  throw new S3Error("InvalidBucketName", undefined, { BucketName: name });
}

export function assertKey(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes <= maxKeyBytes) return;
  throw new S3Error("KeyTooLongError", undefined, {
    Size: String(bytes),
    MaxSizeAllowed: String(maxKeyBytes),
  });
}
