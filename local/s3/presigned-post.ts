import { Busboy, type BusboyFileStream } from "@fastify/busboy";
import * as z from "zod";
import { S3Error } from "./errors.ts";
import { claimedChecksum, claimedMd5, Payload } from "./payload.ts";
import { headerOf, type S3Request } from "./request.ts";
import { type Authority, equalInConstantTime, hmacHex, openCredential } from "./signature.ts";

/** A form as it came in: all fields before the file, with lower-case names, and the file. */
export interface PostForm {
  readonly fields: ReadonlyMap<string, string>;
  readonly fileName: string;
  /** Fails at its end if the form behind it is broken, so a torn upload is never taken for a whole one. */
  readonly file: AsyncIterable<Buffer>;
}

/** Everything before the file: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html */
const maxFieldBytes = 20_000;

/** Reads a form up to its file. What comes behind the file is ignored, as S3 does. */
export function readPostForm(request: S3Request): Promise<PostForm> {
  const contentType = headerOf(request, "content-type") ?? "";
  if (!/^multipart\/form-data\s*;.*boundary=/i.test(contentType)) throw new S3Error("MalformedPOSTRequest");
  if (headerOf(request, "content-length") === undefined) throw new S3Error("MissingContentLength");

  const fields = new Map<string, string>();
  let fieldBytes = 0;
  const parser = new Busboy({
    headers: { ...request.headers, "content-type": contentType },
    isPartAFile: (name) => name?.toLowerCase() === "file",
    limits: { fieldSize: maxFieldBytes + 1, files: 1 },
    highWaterMark: 1024 * 1024,
    fileHwm: 1024 * 1024,
  });
  const source = request.stream();

  return new Promise((resolve, reject) => {
    let file: BusboyFileStream | undefined;
    const whole = new Promise<void>((formEnded, formFailed) => {
      const fail = (reason: unknown) => {
        const failure = reason instanceof S3Error ? reason : new S3Error("MalformedPOSTRequest");
        // The rest is read and thrown away: the connection has to live until the answer is on it.
        source.unpipe(parser);
        source.resume();
        file?.destroy(failure);
        formFailed(failure);
        reject(failure);
      };
      source.once("close", () => {
        if (!source.complete) fail(new S3Error("IncompleteBody"));
      });
      parser.on("error", fail);
      parser.on("field", (name, value) => {
        fieldBytes += name.length + Buffer.byteLength(value);
        if (file) return;
        if (fieldBytes > maxFieldBytes) fail(new S3Error("MaxPostPreDataLengthExceededError"));
        else fields.set(name.toLowerCase(), value);
      });
      parser.on("file", (_name, stream, fileName) => {
        file = stream;
        resolve({ fields, fileName: fileName ?? "", file: untilFormEnds(stream, whole) });
      });
      parser.on("finish", () => {
        if (file) formEnded();
        else fail(new S3Error("IncorrectNumberOfFilesInPostRequest"));
      });
    });
    // Whoever reads the file is told; if nobody reads it, the failure has been reported already.
    whole.catch(() => {});
    source.pipe(parser);
  });
}

async function* untilFormEnds(file: AsyncIterable<Buffer>, whole: Promise<void>): AsyncGenerator<Buffer> {
  try {
    yield* file;
  } catch (reason) {
    throw reason instanceof S3Error ? reason : new S3Error("MalformedPOSTRequest");
  }
  await whole;
}

/** An upload that its policy allows. The payload keeps the policy's bounds of size. */
export interface AllowedPost {
  readonly key: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly payload: Payload;
}

/**
 * Checks a form against the policy in it, and the policy against its signature.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html
 */
export async function allowPost(
  bucket: string,
  form: PostForm,
  authority: Authority,
  now: Date,
): Promise<AllowedPost> {
  const fields = new Map(
    [...form.fields].map(([name, value]) => [name, withFileName(value, form.fileName)] as const),
  );
  const key = fields.get("key");
  if (key === undefined || key === "") {
    throw new S3Error("InvalidArgument", "Bucket POST must contain a field named 'key'.");
  }

  const encodedPolicy = form.fields.get("policy");
  if (encodedPolicy === undefined) throw new S3Error("AccessDenied");
  await verifySignature(encodedPolicy, form.fields, authority);
  const policy = parsePolicy(encodedPolicy);
  if (now.getTime() > Date.parse(policy.expiration)) throw violated("Policy expired.");
  const bounds = assertConditions(policy.conditions, fields, bucket);

  const payload = new Payload(withinBounds(form.file, bounds), {
    size: undefined,
    md5: claimedMd5(fields.get("content-md5")),
    sha256: undefined,
    checksum: claimedChecksum((name) => fields.get(name)),
  });
  return { key, fields, payload };
}

function withFileName(value: string, fileName: string): string {
  return value.replaceAll("$" + "{filename}", () => fileName);
}

async function verifySignature(
  policy: string,
  fields: ReadonlyMap<string, string>,
  authority: Authority,
): Promise<void> {
  const field = (name: string) => {
    const value = fields.get(name);
    if (value) return value;
    throw new S3Error("InvalidArgument", `Bucket POST must contain a field named '${name}'.`, {
      ArgumentName: name,
    });
  };
  if (field("x-amz-algorithm") !== "AWS4-HMAC-SHA256") {
    throw new S3Error("InvalidRequest", "Only AWS4-HMAC-SHA256 is supported");
  }
  const malformed = (message: string) => new S3Error("InvalidRequest", message);
  const { signingKey } = await openCredential(
    field("x-amz-credential"),
    field("x-amz-date"),
    authority,
    malformed,
  );
  if (!equalInConstantTime(field("x-amz-signature"), hmacHex(signingKey, policy))) {
    throw new S3Error("SignatureDoesNotMatch", undefined, { StringToSign: policy });
  }
}

const bound = z.union([z.number().int().nonnegative(), z.string().regex(/^\d+$/).transform(Number)]);
const conditionSchema = z.union([
  z.tuple([z.string().regex(/^content-length-range$/i), bound, bound]).transform(([, min, max]) => ({
    kind: "content-length-range" as const,
    min,
    max,
  })),
  z
    .tuple([z.string().regex(/^(eq|starts-with)$/i), z.string().startsWith("$"), z.string()])
    .transform(([kind, name, value]) => ({
      kind: kind.toLowerCase() === "eq" ? ("eq" as const) : ("starts-with" as const),
      matches: { [name.slice(1).toLowerCase()]: value },
    })),
  z.record(z.string(), z.coerce.string()).transform((matches) => ({
    kind: "eq" as const,
    matches: Object.fromEntries(Object.entries(matches).map(([name, value]) => [name.toLowerCase(), value])),
  })),
]);
const policySchema = z.object({ expiration: z.iso.datetime(), conditions: z.array(conditionSchema) });

type Condition = z.output<typeof conditionSchema>;

function parsePolicy(encoded: string): z.output<typeof policySchema> {
  try {
    return policySchema.parse(JSON.parse(Buffer.from(encoded, "base64").toString("utf8")));
  } catch {
    throw new S3Error("InvalidPolicyDocument", "Invalid Policy: Invalid JSON.");
  }
}

/** Fields that carry the policy itself; each other one needs a condition. */
const exemptFields = new Set(["policy", "x-amz-signature", "file"]);

/** Every condition has to hold, and every field needs one. */
function assertConditions(
  conditions: readonly Condition[],
  fields: ReadonlyMap<string, string>,
  bucket: string,
): SizeBounds {
  const covered = new Set<string>();
  const bounds = { min: 0, max: Number.POSITIVE_INFINITY };
  for (const condition of conditions) {
    if (condition.kind === "content-length-range") {
      bounds.min = Math.max(bounds.min, condition.min);
      bounds.max = Math.min(bounds.max, condition.max);
      continue;
    }
    for (const [name, expected] of Object.entries(condition.matches)) {
      covered.add(name);
      const actual = name === "bucket" ? bucket : (fields.get(name) ?? "");
      if (!holds(condition.kind, name, actual, expected)) {
        throw violated(`Policy Condition failed: ${JSON.stringify([condition.kind, `$${name}`, expected])}`);
      }
    }
  }
  for (const name of fields.keys()) {
    if (covered.has(name) || exemptFields.has(name) || name.startsWith("x-ignore-")) continue;
    throw violated(`Extra input fields: ${name}`);
  }
  return bounds;
}

function holds(kind: "eq" | "starts-with", name: string, actual: string, expected: string): boolean {
  if (kind === "eq") return actual === expected;
  // Of a list of content types each one has to begin so.
  const values = name === "content-type" ? actual.split(",") : [actual];
  return values.every((value) => value.startsWith(expected));
}

function violated(reason: string): S3Error {
  return new S3Error("AccessDenied", `Invalid according to Policy: ${reason}`);
}

interface SizeBounds {
  readonly min: number;
  readonly max: number;
}

async function* withinBounds(file: AsyncIterable<Buffer>, { min, max }: SizeBounds): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of file) {
    size += chunk.length;
    if (size > max) {
      throw new S3Error("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", {
        ProposedSize: String(size),
        MaxSizeAllowed: String(max),
      });
    }
    yield chunk;
  }
  if (size >= min) return;
  throw new S3Error("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", {
    ProposedSize: String(size),
    MinSizeAllowed: String(min),
  });
}
