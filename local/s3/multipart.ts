import { createHash, randomBytes } from "node:crypto";
import type { Attributes, ObjectVersion, Part, Upload } from "./catalog.ts";
import {
  type Checksum,
  type ChecksumAlgorithm,
  type ChecksumType,
  compositeChecksum,
  fullObjectCrc,
  isCrc,
} from "./checksums.ts";
import { S3Error } from "./errors.ts";
import { Locks } from "./locks.ts";
import { assertKey, type ObjectStore, type Placement } from "./object-store.ts";
import type { Payload } from "./payload.ts";

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const minPartBytes = 5 * 1024 ** 2;
export const maxPartNumber = 10_000;

/** How the finished object is to be checked. */
export interface ChecksumPlan {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
}

/** Names an upload. */
export interface UploadRef {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}

/** A part as the caller lists it when the upload is completed. */
export interface ListedPart {
  readonly number: number;
  /** Without quotes. */
  readonly etag: string;
  readonly checksum: string | undefined;
}

/** What the caller says of the finished object. */
export interface CompletionClaims {
  readonly size: number | undefined;
  readonly checksum: string | undefined;
}

/** Uploads in parts. The object is made of the blobs of its parts, so completing one copies nothing. */
export class MultipartUploads {
  // Completing hands the blobs over to the object; no part may be replaced while that happens, and only one may do it.
  readonly #locks = new Locks();

  constructor(private readonly store: ObjectStore) {}

  async start(
    bucket: string,
    key: string,
    attributes: Attributes,
    plan: ChecksumPlan | undefined,
  ): Promise<string> {
    this.store.bucket(bucket);
    assertKey(key);
    const uploadId = randomBytes(48).toString("base64url");
    await this.store.commit([
      {
        type: "upload-started",
        upload: {
          ...attributes,
          uploadId,
          bucket,
          key,
          startedAt: Date.now(),
          checksumAlgorithm: plan?.algorithm,
          checksumType: plan?.type,
        },
      },
    ]);
    return uploadId;
  }

  find({ bucket, key, uploadId }: UploadRef): Upload {
    this.store.bucket(bucket);
    const upload = this.store.catalog.upload(uploadId);
    if (upload?.bucket !== bucket || upload.key !== key) {
      throw new S3Error("NoSuchUpload", undefined, { UploadId: uploadId });
    }
    return upload;
  }

  /** Stores a part; one of the same number is replaced. */
  async addPart(ref: UploadRef, number: number, payload: Payload): Promise<Part> {
    this.find(ref);
    return this.store.store(payload, (blob) =>
      this.#locks.run(ref.uploadId, async () => {
        const { md5, checksum } = payload.digest;
        assertPlanned(this.find(ref), checksum);
        const part: Part = { number, etag: md5.toString("hex"), modifiedAt: Date.now(), checksum, blob };
        await this.store.commit([{ type: "part-added", uploadId: ref.uploadId, part }]);
        return part;
      }),
    );
  }

  /** Makes one object of the listed parts; the others are dropped. */
  complete(
    ref: UploadRef,
    listed: readonly ListedPart[],
    claims: CompletionClaims,
    placement: Placement,
  ): Promise<ObjectVersion> {
    return this.#locks.run(ref.uploadId, async () => {
      const upload = this.find(ref);
      const parts = partsAsListed(upload, listed);

      const size = parts.reduce((sum, { blob }) => sum + blob.size, 0);
      if (claims.size !== undefined && claims.size !== size) {
        throw new S3Error(
          "InvalidRequest",
          "The provided 'x-amz-mp-object-size' header value does not match.",
        );
      }
      const checksum = checksumOf(upload, parts);
      if (claims.checksum !== undefined && checksum && claims.checksum !== checksum.value) {
        throw new S3Error("BadDigest");
      }

      const { headers, tags, uploadId } = upload;
      return this.store.commitObject(
        placement,
        {
          headers,
          tags,
          size,
          etag: etagOf(parts),
          checksum,
          blobs: parts.map(({ blob }) => blob),
          multipart: true,
        },
        [{ type: "upload-ended", uploadId, keptParts: parts.map(({ number }) => number) }],
      );
    });
  }

  abort(ref: UploadRef): Promise<void> {
    return this.#locks.run(ref.uploadId, async () => {
      const { uploadId } = this.find(ref);
      await this.store.commit([{ type: "upload-ended", uploadId, keptParts: [] }]);
    });
  }
}

function partsAsListed(upload: Upload, listed: readonly ListedPart[]): Part[] {
  const parts = listed.map((one, at) => {
    const before = listed[at - 1];
    if (before && before.number >= one.number) throw new S3Error("InvalidPartOrder");
    return findPart(upload, one);
  });
  for (const part of parts.slice(0, -1)) assertLargeEnough(part);
  return parts;
}

function assertPlanned({ checksumAlgorithm, checksumType }: Upload, checksum: Checksum | undefined): void {
  if (checksumAlgorithm === undefined || checksum?.algorithm === checksumAlgorithm) return;
  if (checksum === undefined && checksumType === "FULL_OBJECT") return;
  throw new S3Error(
    "InvalidRequest",
    `Checksum Type mismatch occurred, expected checksum Type: ${checksumAlgorithm.toLowerCase()}, actual checksum Type: ${checksum?.algorithm.toLowerCase() ?? "null"}`,
  );
}

function findPart({ parts, uploadId }: Upload, { number, etag, checksum }: ListedPart): Part {
  const part = parts.get(number);
  const isTheSame = part?.etag === etag && (checksum === undefined || checksum === part.checksum?.value);
  if (part && isTheSame) return part;
  throw new S3Error("InvalidPart", undefined, { UploadId: uploadId, PartNumber: String(number), ETag: etag });
}

function assertLargeEnough({ number, etag, blob }: Part): void {
  if (blob.size >= minPartBytes) return;
  throw new S3Error("EntityTooSmall", undefined, {
    ProposedSize: String(blob.size),
    MinSizeAllowed: String(minPartBytes),
    PartNumber: String(number),
    ETag: etag,
  });
}

/** The MD5 of the MD5s of the parts, and their number: it is not the MD5 of the object. */
function etagOf(parts: readonly Part[]): string {
  const md5 = createHash("md5");
  for (const { etag } of parts) md5.update(etag, "hex");
  return `${md5.digest("hex")}-${parts.length}`;
}

function checksumOf(
  { checksumAlgorithm: algorithm, checksumType }: Upload,
  parts: readonly Part[],
): Checksum | undefined {
  if (algorithm === undefined) return undefined;
  const values = parts.flatMap(({ checksum, blob }) =>
    checksum ? [{ value: checksum.value, size: blob.size }] : [],
  );
  if (values.length < parts.length) return undefined;
  if (checksumType === "FULL_OBJECT" && isCrc(algorithm)) {
    return { algorithm, type: "FULL_OBJECT", value: fullObjectCrc(algorithm, values) };
  }
  return {
    algorithm,
    type: "COMPOSITE",
    value: compositeChecksum(
      algorithm,
      values.map(({ value }) => value),
    ),
  };
}
