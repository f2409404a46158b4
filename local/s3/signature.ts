import { createHmac, timingSafeEqual } from "node:crypto";
import { Sha256 } from "@aws-crypto/sha256-js";
import { createScope, getCanonicalQuery, getSigningKey } from "@smithy/signature-v4";
import { sha256Hex } from "./checksums.ts";
import { S3Error } from "./errors.ts";
import { encodeForSignature } from "./keys.ts";
import { headerOf, type S3Request } from "./request.ts";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Who may call, and for which region a signature has to be made. */
export interface Authority {
  readonly credentials: Credentials;
  readonly region: string;
}

/** A request whose signature is right, and what is needed to check a body that is signed in chunks. */
export interface Authentication {
  /** The value of `x-amz-content-sha256`: a hash, or a word for how the body is signed. */
  readonly payloadHash: string;
  readonly signature: string;
  readonly signingKey: Uint8Array;
  /** `20260102T030405Z` */
  readonly signedAt: string;
  readonly scope: string;
}

const algorithm = "AWS4-HMAC-SHA256";
const unsignedPayload = "UNSIGNED-PAYLOAD";
const maxSkewMs = 15 * 60 * 1000;
const maxExpiresInSeconds = 7 * 24 * 60 * 60;

/**
 * Verifies the signature in the `Authorization` header or in a presigned URL; anonymous calls are refused.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
 */
export async function authenticate(
  request: S3Request,
  authority: Authority,
  now: Date,
): Promise<Authentication> {
  const authorization = headerOf(request, "authorization");
  const isPresigned = request.query.has("X-Amz-Algorithm") || request.query.has("X-Amz-Signature");
  if (authorization !== undefined && isPresigned) {
    throw new S3Error("InvalidArgument", "Only one auth mechanism allowed");
  }
  if (authorization !== undefined) return verifyHeader(request, authorization, authority, now);
  if (isPresigned) return verifyPresigned(request, authority, now);
  throw new S3Error("AccessDenied");
}

async function verifyHeader(
  request: S3Request,
  authorization: string,
  authority: Authority,
  now: Date,
): Promise<Authentication> {
  const malformed = (message: string) => new S3Error("AuthorizationHeaderMalformed", message);
  const [, credential, signedHeaders, signature] =
    /^AWS4-HMAC-SHA256 +Credential=([^, ]+) *, *SignedHeaders=([^, ]+) *, *Signature=([0-9a-f]{64})$/.exec(
      authorization,
    ) ?? [];
  if (!credential || !signedHeaders || !signature) throw malformed("The authorization header is malformed.");

  const signedAt = headerOf(request, "x-amz-date") ?? basicFormat(headerOf(request, "date"));
  const signedTime = parseBasicTime(signedAt);
  if (signedAt === undefined || signedTime === undefined) {
    throw new S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header");
  }
  if (Math.abs(now.getTime() - signedTime) > maxSkewMs) {
    throw new S3Error("RequestTimeTooSkewed", undefined, {
      RequestTime: signedAt,
      ServerTime: now.toISOString(),
      MaxAllowedSkewMilliseconds: String(maxSkewMs),
    });
  }
  const payloadHash = headerOf(request, "x-amz-content-sha256");
  if (payloadHash === undefined) {
    throw new S3Error("InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
  }

  return verify(request, authority, {
    credential,
    signedHeaders,
    signature,
    signedAt,
    payloadHash,
    malformed,
  });
}

async function verifyPresigned(request: S3Request, authority: Authority, now: Date): Promise<Authentication> {
  const malformed = (message: string) => new S3Error("AuthorizationQueryParametersError", message);
  const parameter = (name: string) => {
    const value = request.query.get(name);
    if (value) return value;
    throw malformed(
      "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    );
  };
  if (parameter("X-Amz-Algorithm") !== algorithm)
    throw malformed(`X-Amz-Algorithm only supports "${algorithm}"`);

  const signedAt = parameter("X-Amz-Date");
  const signedTime = parseBasicTime(signedAt);
  if (signedTime === undefined)
    throw malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  const expiresInSeconds = parameter("X-Amz-Expires");
  if (!/^\d{1,6}$/.test(expiresInSeconds) || Number(expiresInSeconds) > maxExpiresInSeconds) {
    throw malformed("X-Amz-Expires must be a number of seconds, less than a week");
  }
  const expiresAt = signedTime + Number(expiresInSeconds) * 1000;
  if (signedTime - now.getTime() > maxSkewMs) throw new S3Error("AccessDenied", "Request is not valid yet");
  if (now.getTime() > expiresAt) {
    throw new S3Error("AccessDenied", "Request has expired", {
      "X-Amz-Expires": expiresInSeconds,
      Expires: new Date(expiresAt).toISOString(),
      ServerTime: now.toISOString(),
    });
  }

  return verify(request, authority, {
    credential: parameter("X-Amz-Credential"),
    signedHeaders: parameter("X-Amz-SignedHeaders"),
    signature: parameter("X-Amz-Signature"),
    signedAt,
    payloadHash:
      headerOf(request, "x-amz-content-sha256") ??
      request.query.get("X-Amz-Content-Sha256") ??
      unsignedPayload,
    malformed,
  });
}

interface Claim {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly signedAt: string;
  readonly payloadHash: string;
  readonly malformed: (message: string) => S3Error;
}

async function verify(request: S3Request, authority: Authority, claim: Claim): Promise<Authentication> {
  const { scope, signingKey } = await openCredential(
    claim.credential,
    claim.signedAt,
    authority,
    claim.malformed,
  );
  const signedHeaders = claim.signedHeaders.split(";");
  assertSigned(request, signedHeaders);

  const canonicalRequest = [
    request.method,
    canonicalPath(request),
    getCanonicalQuery({ ...unusedRequestParts, query: request.query.toBag() }),
    ...signedHeaders.map((name) => `${name}:${canonicalHeader(headerOf(request, name) ?? "")}`),
    "",
    claim.signedHeaders,
    claim.payloadHash,
  ].join("\n");
  const stringToSign = [algorithm, claim.signedAt, scope, sha256Hex(canonicalRequest)].join("\n");

  if (!equalInConstantTime(claim.signature, hmacHex(signingKey, stringToSign))) {
    throw new S3Error("SignatureDoesNotMatch", undefined, {
      AWSAccessKeyId: authority.credentials.accessKeyId,
      StringToSign: stringToSign,
      SignatureProvided: claim.signature,
      CanonicalRequest: canonicalRequest,
    });
  }
  return {
    payloadHash: claim.payloadHash,
    signature: claim.signature,
    signingKey,
    signedAt: claim.signedAt,
    scope,
  };
}

const unusedRequestParts = { protocol: "", hostname: "", method: "", path: "", headers: {} };

/** Checks `key/20260102/region/s3/aws4_request` and derives the key that signs under it. */
export async function openCredential(
  credential: string,
  signedAt: string,
  { credentials, region }: Authority,
  malformed: (message: string) => S3Error,
): Promise<{ scope: string; signingKey: Uint8Array }> {
  const parts = credential.split("/");
  const [accessKeyId, date] = parts;
  if (parts.length !== 5 || accessKeyId === undefined || date === undefined) {
    throw malformed(
      'The Credential is malformed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    );
  }
  if (!equalInConstantTime(accessKeyId, credentials.accessKeyId)) {
    throw new S3Error("InvalidAccessKeyId", undefined, { AWSAccessKeyId: accessKeyId });
  }
  const scope = createScope(signedAt.slice(0, 8), region, "s3");
  if (parts.slice(1).join("/") !== scope) {
    throw malformed(`The Credential is mal-formed; its scope is wrong; expecting '${scope}'`);
  }
  return { scope, signingKey: await getSigningKey(Sha256, credentials, date, region, "s3") };
}

/** The host and everything that begins with `x-amz-` has to be under the signature, or anyone could add it. */
function assertSigned(request: S3Request, signedHeaders: readonly string[]): void {
  const unsigned = [
    "host",
    ...Object.keys(request.headers).filter((name) => name.startsWith("x-amz-")),
  ].filter((name) => !signedHeaders.includes(name));
  if (unsigned.length === 0) return;
  throw new S3Error("AccessDenied", "There were headers present in the request which were not signed", {
    HeadersNotSigned: unsigned.join(", "),
  });
}

function canonicalPath({ bucket, key, path }: S3Request): string {
  if (bucket === undefined) return "/";
  const rest = key === undefined ? (path.endsWith("/") ? "/" : "") : `/${key}`;
  return `/${bucket}${rest}`.split("/").map(encodeForSignature).join("/");
}

function canonicalHeader(value: string): string {
  return value.trim().replace(/[ \t]+/g, " ");
}

/** What a chunk or trailer is signed with: the chain starts at the signature of the request. */
export class SignatureChain {
  #previous: string;

  constructor(private readonly authentication: Authentication) {
    this.#previous = authentication.signature;
  }

  /** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html */
  verifyChunk(signature: string, chunkSha256: string): void {
    this.#verify(signature, `${algorithm}-PAYLOAD`, [sha256Hex(""), chunkSha256]);
  }

  /** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html */
  verifyTrailer(signature: string, trailer: string): void {
    this.#verify(signature, `${algorithm}-TRAILER`, [sha256Hex(trailer)]);
  }

  #verify(signature: string, kind: string, hashes: readonly string[]): void {
    const { signingKey, signedAt, scope } = this.authentication;
    const expected = hmacHex(signingKey, [kind, signedAt, scope, this.#previous, ...hashes].join("\n"));
    if (!equalInConstantTime(signature, expected)) throw new S3Error("SignatureDoesNotMatch");
    this.#previous = expected;
  }
}

export function hmacHex(key: Uint8Array, text: string): string {
  return createHmac("sha256", key).update(text).digest("hex");
}

/** Compares without telling by its duration where the difference is. */
export function equalInConstantTime(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** `20260102T030405Z` as milliseconds, if it is such a time. */
export function parseBasicTime(text: string | undefined): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? "");
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? undefined : time;
}

function basicFormat(date: string | undefined): string | undefined {
  const time = Date.parse(date ?? "");
  return Number.isNaN(time) ? undefined : new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, "");
}
