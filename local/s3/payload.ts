import { createHash, type Hash } from "node:crypto";
import { decodeAwsChunked } from "./aws-chunked.ts";
import {
  type Checksum,
  type ChecksumAlgorithm,
  checksumAlgorithmNamed,
  checksumAlgorithms,
  checksumHeader,
  type RunningChecksum,
  startChecksum,
} from "./checksums.ts";
import { S3Error } from "./errors.ts";
import { headerOf, type S3Request } from "./request.ts";
import { type Authentication, SignatureChain } from "./signature.ts";

/** 5 GiB, for one PUT, POST or part: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const maxUploadBytes = 5 * 1024 ** 3;

/** What the sender said of the bytes: each of it has to be true. */
export interface PayloadClaims {
  readonly size: number | undefined;
  /** Base64, from `Content-MD5`. */
  readonly md5: string | undefined;
  /** Hex, from `x-amz-content-sha256`. */
  readonly sha256: string | undefined;
  /** The additional checksum to be computed, and its value unless that follows in a trailer. */
  readonly checksum: ClaimedChecksum | undefined;
}

interface ClaimedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: string | undefined;
  readonly followsInTrailer: boolean;
}

/** What became known of the bytes when the last one was through. */
export interface PayloadDigest {
  readonly size: number;
  readonly md5: Buffer;
  readonly checksum: Checksum | undefined;
}

/** Bytes on their way in, hashed in one pass. `chunks` fails at its end if a claim was wrong, so what reads it must not commit before. */
export class Payload {
  readonly #md5: Hash = createHash("md5");
  readonly #sha256: Hash | undefined;
  readonly #checksum: RunningChecksum | undefined;
  #size = 0;
  #trailers: ReadonlyMap<string, string> = new Map();
  #digest: PayloadDigest | undefined;

  constructor(
    private readonly source: AsyncIterable<Buffer>,
    private readonly claims: PayloadClaims,
  ) {
    this.#sha256 = claims.sha256 === undefined ? undefined : createHash("sha256");
    this.#checksum = claims.checksum && startChecksum(claims.checksum.algorithm);
  }

  /** To be called by the decoder that finds them behind the last chunk. */
  readonly acceptTrailers = (trailers: ReadonlyMap<string, string>): void => {
    this.#trailers = trailers;
  };

  async *chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of this.source) {
      this.#size += chunk.length;
      if (this.#size > maxUploadBytes) throw entityTooLarge(this.#size);
      this.#md5.update(chunk);
      this.#sha256?.update(chunk);
      this.#checksum?.update(chunk);
      yield chunk;
    }
    this.#digest = this.#verify();
  }

  /** Known once `chunks` has come to its end. */
  get digest(): PayloadDigest {
    if (!this.#digest) throw new Error("The payload has not been read to its end.");
    return this.#digest;
  }

  #verify(): PayloadDigest {
    const { claims } = this;
    const md5 = this.#md5.digest();
    if (claims.size !== undefined && claims.size !== this.#size) throw new S3Error("IncompleteBody");
    if (claims.md5 !== undefined && claims.md5 !== md5.toString("base64")) {
      throw new S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.");
    }
    if (claims.sha256 !== undefined && claims.sha256 !== this.#sha256?.digest("hex")) {
      throw new S3Error("XAmzContentSHA256Mismatch");
    }
    return { size: this.#size, md5, checksum: this.#verifyChecksum() };
  }

  #verifyChecksum(): Checksum | undefined {
    if (!this.claims.checksum || !this.#checksum) return undefined;
    const { algorithm, value, followsInTrailer } = this.claims.checksum;
    const claimed = value ?? this.#trailers.get(checksumHeader(algorithm));
    if (followsInTrailer && claimed === undefined) throw new S3Error("MalformedTrailerError");
    const computed = this.#checksum.digest().toString("base64");
    if (claimed !== undefined && claimed !== computed) {
      throw new S3Error("BadDigest", `The ${algorithm} you specified did not match the calculated checksum.`);
    }
    return { algorithm, value: computed, type: "FULL_OBJECT" };
  }
}

const streamingModes: Readonly<Record<string, { readonly signed: boolean; readonly hasTrailer: boolean }>> = {
  "STREAMING-UNSIGNED-PAYLOAD-TRAILER": { signed: false, hasTrailer: true },
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": { signed: true, hasTrailer: false },
  "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": { signed: true, hasTrailer: true },
};

/**
 * The body of a signed request: its framing is taken off, and what headers, trailers and signature claim of it is verified.
 * `checksumOf: "object"` is for CompleteMultipartUpload, whose checksum header speaks of the object and not of the body.
 */
export function payloadOf(
  request: S3Request,
  authentication: Authentication,
  checksumOf: "body" | "object" = "body",
): Payload {
  const { payloadHash } = authentication;
  const isHash = /^[0-9a-f]{64}$/.test(payloadHash);
  const mode = Object.hasOwn(streamingModes, payloadHash) ? streamingModes[payloadHash] : undefined;
  if (!isHash && !mode && payloadHash !== "UNSIGNED-PAYLOAD") {
    throw payloadHash.startsWith("STREAMING-")
      ? new S3Error("NotImplemented")
      : new S3Error(
          "InvalidArgument",
          "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING- value, or a valid sha256 value.",
        );
  }

  const claims: PayloadClaims = {
    size: declaredSize(request, mode !== undefined),
    md5: claimedMd5(headerOf(request, "content-md5")),
    sha256: isHash ? payloadHash : undefined,
    checksum: checksumOf === "body" ? claimedChecksum((name) => headerOf(request, name)) : undefined,
  };
  if (!mode) return new Payload(request.body(), claims);

  const decoded = decodeAwsChunked(request.body(), {
    signatures: mode.signed ? new SignatureChain(authentication) : undefined,
    hasTrailer: mode.hasTrailer,
    onTrailers: (trailers) => payload.acceptTrailers(trailers),
  });
  const payload = new Payload(decoded, claims);
  return payload;
}

function declaredSize(request: S3Request, isChunked: boolean): number {
  const declared = headerOf(request, isChunked ? "x-amz-decoded-content-length" : "content-length");
  // S3 takes no `Transfer-Encoding: chunked`: the length has to be known beforehand.
  if (declared === undefined || !/^\d{1,15}$/.test(declared)) throw new S3Error("MissingContentLength");
  if (Number(declared) > maxUploadBytes) throw entityTooLarge(Number(declared));
  return Number(declared);
}

function entityTooLarge(size: number): S3Error {
  return new S3Error("EntityTooLarge", undefined, {
    ProposedSize: String(size),
    MaxSizeAllowed: String(maxUploadBytes),
  });
}

/** Checks that it is an MD5 in Base64 at all. */
export function claimedMd5(header: string | undefined): string | undefined {
  if (header !== undefined && Buffer.from(header, "base64").length !== 16) throw new S3Error("InvalidDigest");
  return header;
}

/**
 * Finds the additional checksum among headers or form fields. A value in the query is not looked at, as in S3: what the
 * SDK puts there when it presigns is the checksum of an empty body (https://github.com/localstack/localstack/issues/12169).
 */
export function claimedChecksum(lookUp: (name: string) => string | undefined): ClaimedChecksum | undefined {
  const given = checksumAlgorithms.filter((algorithm) => lookUp(checksumHeader(algorithm)) !== undefined);
  if (given.length > 1) {
    throw new S3Error(
      "InvalidRequest",
      "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    );
  }
  const [algorithm] = given;
  if (algorithm) {
    const value = lookUp(checksumHeader(algorithm)) ?? "";
    const bytes = startChecksum(algorithm).digest().length;
    if (Buffer.from(value, "base64").length !== bytes) {
      throw new S3Error("InvalidRequest", `Value for ${checksumHeader(algorithm)} header is invalid.`);
    }
    return { algorithm, value, followsInTrailer: false };
  }
  const [, inTrailer] = /^\s*x-amz-checksum-(\w+)\s*$/i.exec(lookUp("x-amz-trailer") ?? "") ?? [];
  const named = inTrailer ?? lookUp("x-amz-sdk-checksum-algorithm") ?? lookUp("x-amz-checksum-algorithm");
  if (named === undefined) return undefined;
  return {
    algorithm: checksumAlgorithmNamed(named),
    value: undefined,
    followsInTrailer: inTrailer !== undefined,
  };
}

const maxDocumentBytes = 4 * 1024 ** 2;

/** Reads a body that is a document, not an object. */
export async function readDocument(payload: Payload): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of payload.chunks()) {
    size += chunk.length;
    if (size > maxDocumentBytes) throw new S3Error("MaxMessageLengthExceeded");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
