import { spawn } from "node:child_process";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { Sha256 } from "@aws-crypto/sha256-js";
import {
  AbortMultipartUploadCommand,
  ChecksumAlgorithm,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandInput,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost, type PresignedPostOptions } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { createScope, getSigningKey, SignatureV4 } from "@smithy/signature-v4";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ObjectStore } from "../../local/s3/object-store.ts";
import {
  type S3BucketOptions,
  type S3EventRecordInput,
  type S3Server,
  startS3,
} from "../../local/s3/server.ts";

/** What may take a moment, and longer on a machine that is slow. */
const patience = { timeout: 30_000 };

const region = "eu-west-1";
const credentials = { accessKeyId: "LOCALKEY", secretAccessKey: "local-secret" };
const bucket = "codes";
const versionedBucket = "codes-versioned";
const mebibyte = 1024 ** 2;

let server: S3Server;
let s3: S3Client;
let presigner: S3Client;
const events: S3EventRecordInput[] = [];

beforeAll(async () => {
  server = await aServer({
    buckets: [
      {
        name: bucket,
        versioned: false,
        notify: async (record) => void events.push(record),
        cors: [{ allowedOrigins: ["https://shop.test"], allowedMethods: ["POST"], allowedHeaders: ["*"] }],
      },
      { name: versionedBucket, versioned: true },
    ],
  });
  s3 = aClient(server);
  presigner = aClient(server, "WHEN_REQUIRED");
});

afterAll(async () => {
  await closeServers();
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

describe("a presigned POST", () => {
  it("stores the file with the type and metadata of the form", async () => {
    const form = await aForm("forms/ok.csv", {
      Fields: { "Content-Type": "text/csv", "x-amz-meta-file": "fil_1" },
    });

    const { status } = await post(form, "A1\nB2\n");

    expect(status).toBe(204);
    const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "forms/ok.csv" }));
    expect(await object.Body?.transformToString()).toBe("A1\nB2\n");
    expect(object.ContentType).toBe("text/csv");
    expect(object.Metadata).toEqual({ file: "fil_1" });
  });

  it("puts the name of the file into the key where the form asks for it", async () => {
    const form = await aForm("forms/named/$" + "{filename}");

    const { status } = await post(form, "A1", "März 1.csv");

    expect(status).toBe(204);
    expect(await read("forms/named/März 1.csv")).toBe("A1");
  });

  it.each([
    ["larger than its policy allows", "x".repeat(1001), "EntityTooLarge"],
    ["smaller than its policy allows", "", "EntityTooSmall"],
  ])("refuses a file %s", async (_case, content, code) => {
    const form = await aForm("forms/size", { Conditions: [["content-length-range", 1, 1000]] });

    const answer = await post(form, content);

    expect(answer).toMatchObject({ status: 400, code });
    expect(await exists("forms/size")).toBe(false);
  });

  it("refuses a large file and stays usable on the same connection", async () => {
    const form = await aForm("forms/huge", { Conditions: [["content-length-range", 1, mebibyte]] });

    const answer = await post(form, "x".repeat(12 * mebibyte));

    expect(answer).toMatchObject({ status: 400, code: "EntityTooLarge" });
    expect(await exists("forms/huge")).toBe(false);
  });

  it.each<[string, (fields: Record<string, string>) => Record<string, string>, string]>([
    ["another key", (fields) => ({ ...fields, key: "forms/other" }), "AccessDenied"],
    [
      "a field that the policy does not speak of",
      (fields) => ({ ...fields, "x-amz-meta-more": "1" }),
      "AccessDenied",
    ],
    [
      "another access key",
      (fields) => edit(fields, "X-Amz-Credential", "LOCALKEY", "OTHERKEY"),
      "InvalidAccessKeyId",
    ],
    [
      "a changed signature",
      (fields) => ({ ...fields, "X-Amz-Signature": "0".repeat(64) }),
      "SignatureDoesNotMatch",
    ],
    [
      "a changed policy",
      (fields) => ({ ...fields, Policy: widened(fields.Policy ?? "") }),
      "SignatureDoesNotMatch",
    ],
    ["no policy", ({ Policy: _policy, ...fields }) => fields, "AccessDenied"],
  ])("refuses %s", async (_case, tamper, code) => {
    const form = await aForm("forms/tampered");

    const answer = await post({ ...form, fields: tamper(form.fields) }, "A1");

    expect(answer).toMatchObject({ status: 403, code });
    expect(await exists("forms/tampered")).toBe(false);
    expect(await exists("forms/other")).toBe(false);
  });

  it("refuses a form for another bucket", async () => {
    const form = await aForm("forms/elsewhere");

    const answer = await post({ ...form, url: form.url.replace(`/${bucket}`, `/${versionedBucket}`) }, "A1");

    expect(answer).toMatchObject({ status: 403, code: "AccessDenied" });
    expect(answer.text).toContain("$bucket");
    const { Versions } = await s3.send(
      new ListObjectVersionsCommand({ Bucket: versionedBucket, Prefix: "forms/" }),
    );
    expect(Versions ?? []).toEqual([]);
  });

  it("refuses a form that has expired", async () => {
    const form = await aForm("forms/expired", { Expires: -1 });

    const answer = await post(form, "A1");

    expect(answer).toMatchObject({ status: 403, code: "AccessDenied" });
    expect(answer.text).toContain("Policy expired");
  });

  it("holds a condition on how a field starts", async () => {
    const condition: Partial<PresignedPostOptions> = {
      Conditions: [["starts-with", "$Content-Type", "text/"]],
    };
    const form = await aForm("forms/starts-with", condition);

    const text = await post({ ...form, fields: { ...form.fields, "Content-Type": "text/csv" } }, "A1");
    const image = await post({ ...form, fields: { ...form.fields, "Content-Type": "image/png" } }, "A1");

    expect(text.status).toBe(204);
    expect(image).toMatchObject({ status: 403, code: "AccessDenied" });
  });

  it.each([
    ["whole", "--limit--\r\n", 204],
    ["torn within its file", "", 400],
    ["torn behind its file", '--limit\r\nContent-Disposition: form-data; name="more"\r\n\r\nva', 400],
  ])("that is %s is answered with what it deserves", async (_case, end, status) => {
    const form = await aForm("forms/torn");
    const parts = Object.entries(form.fields).map(([name, value]) => formPart(`name="${name}"`, value));
    const head = [...parts, formPart('name="file"; filename="f.csv"', "A1\nB2")].join("");

    expect(await rawPost(form.url, `${head}${end}`)).toBe(status);

    expect(await exists("forms/torn")).toBe(status === 204);
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: "forms/torn" }));
  });

  it("lets the page of an allowed origin read the answer, and no other", async () => {
    const preflight = (origin: string) =>
      fetch(`${server.endpoint}/${bucket}`, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST" },
      });

    const allowed = await preflight("https://shop.test");
    const refused = await preflight("https://evil.test");

    expect(allowed.status).toBe(200);
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://shop.test");
    expect(refused.status).toBe(403);
    expect(refused.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("a presigned URL", () => {
  const download = (options?: Parameters<typeof getSignedUrl>[2], more?: Partial<GetObjectCommandInput>) =>
    getSignedUrl(presigner, new GetObjectCommand({ Bucket: bucket, Key: "export.csv", ...more }), options);

  beforeAll(async () => {
    await put("export.csv", "customerId\n", { ContentType: "text/csv" });
    await put("other.csv", "secret\n");
  });

  it("downloads under the file name that was signed", async () => {
    const ContentDisposition = 'attachment; filename="codes 1.csv"';

    const response = await fetch(await download({}, { ResponseContentDisposition: ContentDisposition }));

    expect(response.headers.get("content-disposition")).toBe(ContentDisposition);
    expect(response.headers.get("content-type")).toBe("text/csv");
    expect(await response.text()).toBe("customerId\n");
  });

  it("is good for its own key only", async () => {
    const url = await download();

    expect((await fetch(url.replace("export.csv", "other.csv"))).status).toBe(403);
  });

  it("does not let its parameters be changed", async () => {
    const url = await download({ expiresIn: 60 });

    expect((await fetch(url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))).status).toBe(403);
    expect((await fetch(`${url}&response-content-type=text/html`)).status).toBe(403);
    expect((await fetch(url, { method: "DELETE" })).status).toBe(403);
  });

  it("expires", async () => {
    const signedAt = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1000);

    const fresh = await fetch(await download({ expiresIn: 60, signingDate: signedAt(50) }));
    const stale = await fetch(await download({ expiresIn: 60, signingDate: signedAt(62) }));

    expect(fresh.status).toBe(200);
    expect(stale.status).toBe(403);
    expect(await stale.text()).toContain("Request has expired");
  });

  it("uploads the signed number of bytes and no other", async () => {
    const url = await getSignedUrl(
      presigner,
      new PutObjectCommand({ Bucket: bucket, Key: "presigned-put", ContentLength: 5 }),
      { signableHeaders: new Set(["content-length", "host"]) },
    );

    expect((await fetch(url, { method: "PUT", body: "12345" })).status).toBe(200);
    expect((await fetch(url, { method: "PUT", body: "123456" })).status).toBe(403);
    expect(await read("presigned-put")).toBe("12345");
  });
});

describe("a signed request", () => {
  it("is asked for: nothing is public", async () => {
    await put("private", "x");

    expect((await fetch(`${server.endpoint}/${bucket}/private`)).status).toBe(403);
    expect((await fetch(`${server.endpoint}/${bucket}`)).status).toBe(403);
    expect((await fetch(`${server.endpoint}/${bucket}/private`, { method: "PUT", body: "y" })).status).toBe(
      403,
    );
  });

  it("is refused with another secret, region or clock", async () => {
    const command = () => new GetObjectCommand({ Bucket: bucket, Key: "private" });
    const wrongSecret = aClient(server, "WHEN_SUPPORTED", { secretAccessKey: "guessed" });

    await expect(wrongSecret.send(command())).rejects.toMatchObject({ name: "SignatureDoesNotMatch" });
    expect(await signedPut("skewed", "x", { signedAt: new Date(Date.now() - 16 * 60_000) })).toMatchObject({
      code: "RequestTimeTooSkewed",
    });
    expect(await signedPut("elsewhere", "x", { region: "us-east-1" })).toMatchObject({
      code: "AuthorizationHeaderMalformed",
    });
  });

  it("is refused before its body is sent, if the sender asks first", async () => {
    const headers = { expect: "100-continue", "content-length": 3 * mebibyte };
    const request = httpRequest(`${server.endpoint}/${bucket}/large`, { method: "PUT", headers });
    request.flushHeaders();

    const [response] = await once(request, "response");

    expect(response.statusCode).toBe(403);
    // Whether the body follows is the sender's choice, so nothing else can come over this connection.
    expect(response.headers.connection).toBe("close");
    request.destroy();
  });

  it("may not carry an unsigned x-amz header", async () => {
    const answer = await signedPut("unsigned", "x", { unsignedHeaders: { "x-amz-meta-late": "1" } });

    expect(answer).toMatchObject({ status: 403, code: "AccessDenied" });
  });

  it("may not carry another body than the one that was hashed", async () => {
    const payloadHash = createHash("sha256").update("one").digest("hex");

    expect(await signedPut("hashed", "one", { payloadHash })).toMatchObject({ status: 200 });
    expect(await signedPut("hashed", "two", { payloadHash })).toMatchObject({
      code: "XAmzContentSHA256Mismatch",
    });
    expect(await read("hashed")).toBe("one");
  });
});

describe("a body in chunks", () => {
  const trailerHeaders = (size: number) => ({
    "content-encoding": "aws-chunked",
    "x-amz-decoded-content-length": String(size),
    "x-amz-trailer": "x-amz-checksum-crc32",
  });

  it("arrives without its framing when the SDK streams it", async () => {
    const content = randomBytes(700_000);
    const chunks = [content.subarray(0, 300_001), content.subarray(300_001)];

    await put("stream", Readable.from(chunks), { ContentLength: content.length });

    const object = await s3.send(
      new GetObjectCommand({ Bucket: bucket, Key: "stream", ChecksumMode: "ENABLED" }),
    );
    expect(sha256(await object.Body?.transformToByteArray())).toBe(sha256(content));
    expect(object.ContentEncoding).toBeUndefined();
    expect(object.ChecksumCRC32).toBe(base64Crc32(content));
  });

  it("is refused if its trailer does not fit its bytes", async () => {
    const withTrailer = (checksum: string) =>
      signedPut("trailer", `5\r\nhello\r\n0\r\nx-amz-checksum-crc32:${checksum}\r\n\r\n`, {
        payloadHash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        headers: trailerHeaders(5),
      });

    expect(await withTrailer(base64Crc32(Buffer.from("hullo")))).toMatchObject({
      status: 400,
      code: "BadDigest",
    });
    expect(await exists("trailer")).toBe(false);
    expect(await withTrailer(base64Crc32(Buffer.from("hello")))).toMatchObject({ status: 200 });
    expect(await read("trailer")).toBe("hello");
  });

  it("is refused if the trailer is missing or the length is wrong", async () => {
    const send = (body: string, size: number) =>
      signedPut("framing", body, {
        payloadHash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        headers: trailerHeaders(size),
      });
    const trailer = `x-amz-checksum-crc32:${base64Crc32(Buffer.from("hello"))}`;

    expect(await send("5\r\nhello\r\n0\r\n\r\n", 5)).toMatchObject({ code: "MalformedTrailerError" });
    expect(await send(`5\r\nhello\r\n0\r\n${trailer}\r\n\r\n`, 6)).toMatchObject({ code: "IncompleteBody" });
    expect(await send("5\r\nhello\r\n", 5)).toMatchObject({ code: "IncompleteBody" });
    expect(await exists("framing")).toBe(false);
  });

  it("is refused if one of its signatures is wrong", async () => {
    expect(await signedChunks("signed-chunks", ["first ", "second"])).toMatchObject({ status: 200 });
    expect(await read("signed-chunks")).toBe("first second");

    expect(
      await signedChunks("forged-chunk", ["first ", "second"], (body) => body.replace("second", "sEcond")),
    ).toMatchObject({
      code: "SignatureDoesNotMatch",
    });
    expect(
      await signedChunks("forged-trailer", ["first "], (body) => body.replace("trailer-signature:", "$&0")),
    ).toMatchObject({
      code: "SignatureDoesNotMatch",
    });
    expect(await exists("forged-chunk")).toBe(false);
    expect(await exists("forged-trailer")).toBe(false);
  });
});

describe("a checksum", () => {
  it.each(
    Object.values(ChecksumAlgorithm).filter((one) =>
      ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"].includes(one),
    ),
  )("%s is the one that the SDK computes, and is given back", async (algorithm) => {
    const content = randomBytes(10_001);

    await put(`sums/${algorithm}`, content, { ChecksumAlgorithm: algorithm });

    const head = await s3.send(
      new HeadObjectCommand({ Bucket: bucket, Key: `sums/${algorithm}`, ChecksumMode: "ENABLED" }),
    );
    expect(head[`Checksum${algorithm}` as "ChecksumCRC32"]).toEqual(expect.any(String));
    expect(head.ChecksumType).toBe("FULL_OBJECT");
  });

  it("that is wrong is refused", async () => {
    await expect(
      put("sums/wrong", "x", { ChecksumCRC32: base64Crc32(Buffer.from("y")) }),
    ).rejects.toMatchObject({
      name: "BadDigest",
    });
    await expect(
      put("sums/wrong", "x", { ContentMD5: createHash("md5").update("y").digest("base64") }),
    ).rejects.toMatchObject({ name: "BadDigest" });
    expect(await exists("sums/wrong")).toBe(false);
  });

  it.each(["CRC32", "CRC32C", "CRC64NVME"] as const)(
    "%s of a whole follows from those of its parts",
    async (algorithm) => {
      const contents = [randomBytes(5 * mebibyte), randomBytes(12_345)];
      await put("sums/whole", Buffer.concat(contents), { ChecksumAlgorithm: algorithm });

      const completed = await inParts("sums/parts", contents, algorithm);

      const head = await s3.send(
        new HeadObjectCommand({ Bucket: bucket, Key: "sums/whole", ChecksumMode: "ENABLED" }),
      );
      const field = `Checksum${algorithm}` as const;
      expect(completed.ChecksumType).toBe("FULL_OBJECT");
      expect(completed[field]).toBe(head[field]);
    },
  );
});

describe("an upload in parts", () => {
  it("becomes one object, however many parts arrive at once", async () => {
    const content = randomBytes(21 * mebibyte);
    const upload = new Upload({
      client: s3,
      params: {
        Bucket: bucket,
        Key: "parts/big",
        Body: Readable.from(slices(content)),
        Metadata: { made: "of parts" },
      },
      partSize: 5 * mebibyte,
      queueSize: 5,
    });

    await upload.done();

    const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "parts/big" }));
    expect(object.ETag).toMatch(/^"[0-9a-f]{32}-5"$/);
    expect(object.Metadata).toEqual({ made: "of parts" });
    expect(sha256(await object.Body?.transformToByteArray())).toBe(sha256(content));
    const seam = await s3.send(
      new GetObjectCommand({
        Bucket: bucket,
        Key: "parts/big",
        Range: `bytes=${5 * mebibyte - 2}-${5 * mebibyte + 1}`,
      }),
    );
    expect(Buffer.from((await seam.Body?.transformToByteArray()) ?? [])).toEqual(
      content.subarray(5 * mebibyte - 2, 5 * mebibyte + 2),
    );
  });

  it("is refused with parts that are too small, unknown or out of order", async () => {
    const key = "parts/bad";
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key }));
    const part = async (PartNumber: number) => {
      const command = new UploadPartCommand({ Bucket: bucket, Key: key, UploadId, PartNumber, Body: "tiny" });
      return { PartNumber, ETag: (await s3.send(command)).ETag };
    };
    const [one, two] = [await part(1), await part(2)];
    const complete = (Parts: { PartNumber: number; ETag: string | undefined }[]) =>
      s3.send(
        new CompleteMultipartUploadCommand({
          Bucket: bucket,
          Key: key,
          UploadId,
          MultipartUpload: { Parts },
        }),
      );

    await expect(complete([one, two])).rejects.toMatchObject({ name: "EntityTooSmall" });
    await expect(complete([two, one])).rejects.toMatchObject({ name: "InvalidPartOrder" });
    await expect(complete([one, { ...two, PartNumber: 3 }])).rejects.toMatchObject({ name: "InvalidPart" });
    await expect(complete([{ ...one, ETag: '"0"' }])).rejects.toMatchObject({ name: "InvalidPart" });
    expect(await exists(key)).toBe(false);
  });

  it("is gone when it was aborted", async () => {
    const target = { Bucket: bucket, Key: "parts/aborted" };
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(target));
    await s3.send(new UploadPartCommand({ ...target, UploadId, PartNumber: 1, Body: "x" }));
    expect((await s3.send(new ListPartsCommand({ ...target, UploadId }))).Parts).toHaveLength(1);

    await s3.send(new AbortMultipartUploadCommand({ ...target, UploadId }));

    await expect(s3.send(new ListPartsCommand({ ...target, UploadId }))).rejects.toMatchObject({
      name: "NoSuchUpload",
    });
  });
});

describe("a read", () => {
  const content = randomBytes(100_000);
  const get = (more: Partial<GetObjectCommandInput>) =>
    s3.send(new GetObjectCommand({ Bucket: bucket, Key: "read", ...more }));

  beforeAll(() => put("read", content));

  it.each([
    ["bytes=0-99", 0, 100],
    ["bytes=99990-", 99_990, 100_000],
    ["bytes=-50", 99_950, 100_000],
    ["bytes=99990-200000", 99_990, 100_000],
  ])("of %s gives that part", async (Range, start, end) => {
    const part = await get({ Range });

    expect(part.$metadata.httpStatusCode).toBe(206);
    expect(part.ContentRange).toBe(`bytes ${start}-${end - 1}/100000`);
    expect(Buffer.from((await part.Body?.transformToByteArray()) ?? [])).toEqual(
      content.subarray(start, end),
    );
  });

  it("behind the end is refused", async () => {
    await expect(get({ Range: "bytes=100000-" })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 416 },
    });
  });

  it("may depend on what is there", async () => {
    const { ETag, LastModified } = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: "read" }));
    const status = (number: number) =>
      expect.objectContaining({ $metadata: expect.objectContaining({ httpStatusCode: number }) });

    expect(await get({ IfMatch: ETag })).toEqual(status(200));
    await expect(get({ IfMatch: '"other"' })).rejects.toEqual(status(412));
    await expect(get({ IfNoneMatch: ETag })).rejects.toEqual(status(304));
    await expect(get({ IfModifiedSince: LastModified })).rejects.toEqual(status(304));
    await expect(get({ IfUnmodifiedSince: new Date(0) })).rejects.toEqual(status(412));
  });

  it("of something that is not there says so", async () => {
    await expect(get({ Key: "nothing" })).rejects.toMatchObject({ name: "NoSuchKey" });
    await expect(get({ Bucket: "no-such-bucket" })).rejects.toMatchObject({ name: "NoSuchBucket" });
  });
});

describe("a write", () => {
  it("that must create is refused if there is an object", async () => {
    const attempts = await Promise.allSettled(
      Array.from({ length: 8 }, (_, at) => put("create-once", `attempt ${at}`, { IfNoneMatch: "*" })),
    );

    expect(attempts.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(put("create-once", "late", { IfNoneMatch: "*" })).rejects.toMatchObject({
      name: "PreconditionFailed",
    });
  });

  it("that must replace is refused if there is another object", async () => {
    const { ETag } = await put("replace", "one");

    await put("replace", "two", { IfMatch: ETag });

    await expect(put("replace", "three", { IfMatch: ETag })).rejects.toMatchObject({
      name: "PreconditionFailed",
    });
    expect(await read("replace")).toBe("two");
  });

  it("is never seen in part", async () => {
    const versions = ["A", "B", "C"].map((letter) => letter.repeat(300_000));
    await put("torn", "A".repeat(300_000));
    let writing = true;
    const writes = (async () => {
      for (let round = 0; round < 15; round++) await put("torn", versions[round % 3] ?? "");
      writing = false;
    })();

    const seen = new Set<string | undefined>();
    while (writing) seen.add(await read("torn"));
    await writes;

    expect([...seen].filter((text) => !versions.includes(text ?? ""))).toEqual([]);
  });

  it.each(["slow/whole", "slow/parts"])("leaves a reader of %s with what it began with", async (Key) => {
    const before = randomBytes(24 * mebibyte);
    if (Key === "slow/whole") await put(Key, before);
    else await new Upload({ client: s3, params: { Bucket: bucket, Key, Body: before } }).done();
    const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));

    await put(Key, "after");
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));

    expect(sha256(await object.Body?.transformToByteArray())).toBe(sha256(before));
  });
});

describe("a key", () => {
  const keys = [
    "../../x",
    "/leading",
    "a+b",
    "a%2Fb",
    "a b",
    "a//b",
    "żółć 🎉",
    "q'(x)!*~",
    "a&b=c?d#e",
    '<&>"\r\n',
  ];

  it.each(keys)("may be %j", async (key) => {
    await put(key, `content of ${key}`);

    expect(await read(key)).toBe(`content of ${key}`);
    const listed = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: key }));
    expect(listed.Contents?.map(({ Key }) => Key)).toEqual([key]);
    await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: [{ Key: key }] } }));
    expect(await exists(key)).toBe(false);
  });

  // A browser and `fetch` resolve `..` in a URL before they send it.
  it.each(keys.filter((key) => !key.startsWith("..")))("may be %j in a presigned URL", async (key) => {
    await put(key, `content of ${key}`);

    const url = await getSignedUrl(presigner, new GetObjectCommand({ Bucket: bucket, Key: key }));

    expect(await (await fetch(url)).text()).toBe(`content of ${key}`);
  });

  it("of more than 1,024 bytes is refused", async () => {
    await expect(put("ü".repeat(513), "x")).rejects.toMatchObject({ name: "KeyTooLongError" });
  });

  it("is found through pages, prefixes and delimiters, in the order of its bytes", async () => {
    const keys = ["list/a", "list/b/1", "list/b/2", "list/c", "list/\uff5e", "list/🎉"];
    await Promise.all(keys.toReversed().map((key) => put(key, "x")));
    const list = (more: object) =>
      s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: "list/", ...more }));

    const first = await list({ Delimiter: "/", MaxKeys: 2 });
    const second = await list({ Delimiter: "/", MaxKeys: 2, ContinuationToken: first.NextContinuationToken });
    const all = await list({ StartAfter: "list/a" });

    expect(first).toMatchObject({ IsTruncated: true, KeyCount: 2, Contents: [{ Key: "list/a" }] });
    expect(first.CommonPrefixes).toEqual([{ Prefix: "list/b/" }]);
    expect(second.Contents?.map(({ Key }) => Key)).toEqual(["list/c", "list/\uff5e"]);
    expect(all.Contents?.map(({ Key }) => Key)).toEqual(keys.slice(1));
    expect(all.IsTruncated).toBe(false);
  });
});

describe("a versioned bucket", () => {
  const target = { Bucket: versionedBucket, Key: "report" };

  it("keeps what was overwritten and what was deleted", async () => {
    const one = await s3.send(new PutObjectCommand({ ...target, Body: "one" }));
    const two = await s3.send(new PutObjectCommand({ ...target, Body: "two" }));
    const marker = await s3.send(new DeleteObjectCommand(target));
    const get = async (VersionId: string | undefined) =>
      (await s3.send(new GetObjectCommand({ ...target, VersionId }))).Body?.transformToString();

    expect(one.VersionId).not.toBe(two.VersionId);
    expect(await get(one.VersionId)).toBe("one");
    expect(await get(two.VersionId)).toBe("two");
    await expect(get(undefined)).rejects.toMatchObject({ name: "NoSuchKey" });
    const { Versions, DeleteMarkers } = await s3.send(
      new ListObjectVersionsCommand({ Bucket: versionedBucket }),
    );
    expect(Versions?.map(({ VersionId }) => VersionId)).toEqual([two.VersionId, one.VersionId]);
    expect(DeleteMarkers).toMatchObject([{ IsLatest: true, VersionId: marker.VersionId }]);

    await s3.send(new DeleteObjectCommand({ ...target, VersionId: marker.VersionId }));

    expect(await get(undefined)).toBe("two");
  });
});

describe("a notification", () => {
  const eventsOf = (encodedKey: string) => events.filter((record) => record.s3.object.key === encodedKey);
  const theEventOf = (encodedKey: string) => vi.waitFor(() => onlyOne(eventsOf(encodedKey)), patience);

  it("describes the new object as S3 does", async () => {
    const began = Date.now();
    const { ETag } = await put("events/new codes+1/żółć(2).csv", "A1\n");

    const record = await theEventOf("events/new+codes%2B1/%C5%BC%C3%B3%C5%82%C4%87%282%29.csv");

    expect(record).toMatchObject({
      eventVersion: "2.1",
      eventSource: "aws:s3",
      awsRegion: region,
      eventName: "ObjectCreated:Put",
      s3: {
        s3SchemaVersion: "1.0",
        bucket: { name: bucket, arn: `arn:aws:s3:::${bucket}` },
        object: {
          size: 3,
          eTag: ETag?.replaceAll('"', ""),
          sequencer: expect.stringMatching(/^[0-9A-F]{18}$/),
        },
      },
    });
    expect(Date.parse(record.eventTime)).toBeGreaterThanOrEqual(began);
    expect(record.s3.object).not.toHaveProperty("versionId");
  });

  it("says how the object came about", async () => {
    await post(await aForm("events/posted"), "x");
    await s3.send(
      new CopyObjectCommand({ Bucket: bucket, Key: "events/copied", CopySource: `${bucket}/events/posted` }),
    );
    await inParts("events/parts", [randomBytes(10)], "CRC32");

    expect((await theEventOf("events/posted")).eventName).toBe("ObjectCreated:Post");
    expect((await theEventOf("events/copied")).eventName).toBe("ObjectCreated:Copy");
    expect((await theEventOf("events/parts")).eventName).toBe("ObjectCreated:CompleteMultipartUpload");
  });

  it("orders the events of a key by its sequencer", async () => {
    await put("events/sequence", "one");
    await put("events/sequence", "three");

    const records = await vi.waitFor(() => {
      expect(eventsOf("events/sequence")).toHaveLength(2);
      return eventsOf("events/sequence");
    }, patience);

    const inOrder = records.toSorted((a, b) => (a.s3.object.sequencer < b.s3.object.sequencer ? -1 : 1));
    expect(inOrder.map((record) => record.s3.object.size)).toEqual([3, 5]);
  });

  it("is sent for keys that fit the filter only, with the version where there is one", async () => {
    const notify = vi.fn(async (_record: S3EventRecordInput) => {});
    const filter = { prefix: "promocodes/", suffix: ".csv" };
    const own = await aServer({
      buckets: [{ name: bucket, versioned: true, notify, notificationFilter: filter }],
    });
    const client = aClient(own);

    const [version] = await Promise.all(
      ["promocodes/1/a.csv", "promocodes/1/a.txt", "other/a.csv"].map((Key) =>
        client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: "x" })),
      ),
    );

    expect(notify.mock.calls.map(([record]) => record.s3.object.key)).toEqual(["promocodes/1/a.csv"]);
    expect(notify.mock.calls[0]?.[0].s3.object.versionId).toBe(version?.VersionId);
  });

  it("is sent again until its receiver takes it", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const notify = vi.fn<NonNullable<S3BucketOptions["notify"]>>();
    notify.mockRejectedValueOnce(new Error("busy")).mockResolvedValue();
    const own = await aServer({ buckets: [{ name: bucket, versioned: false, notify }] });

    await aClient(own).send(new PutObjectCommand({ Bucket: bucket, Key: "retried", Body: "x" }));

    await vi.waitFor(() => expect(notify).toHaveBeenCalledTimes(2), patience);
    expect(notify.mock.calls[1]).toEqual(notify.mock.calls[0]);
    error.mockRestore();
  });

  it("survives a stop before its receiver was done, and is not sent once more after that", async () => {
    const directory = await aDirectory();
    const hangs = vi.fn(() => new Promise<void>(() => {}));
    const first = await aServer({ directory, buckets: [{ name: bucket, versioned: false, notify: hangs }] });
    await aClient(first).send(new PutObjectCommand({ Bucket: bucket, Key: "unfinished", Body: "x" }));
    expect(hangs).toHaveBeenCalledTimes(1);
    await first.close();

    const takes = vi.fn(async (_record: S3EventRecordInput) => {});
    const second = await aServer({ directory, buckets: [{ name: bucket, versioned: false, notify: takes }] });
    await vi.waitFor(() => expect(takes).toHaveBeenCalledTimes(1), patience);
    expect(takes.mock.calls[0]?.[0].s3.object.key).toBe("unfinished");
    await aClient(second).send(new PutObjectCommand({ Bucket: bucket, Key: "later", Body: "x" }));
    await second.close();

    const idle = vi.fn(async (_record: S3EventRecordInput) => {});
    await aServer({ directory, buckets: [{ name: bucket, versioned: false, notify: idle }] });
    expect(idle.mock.calls.map(([record]) => record.s3.object.key)).not.toContain("unfinished");
  });
});

describe("a restart", () => {
  it("finds everything as it was", async () => {
    const directory = await aDirectory();
    const buckets = [{ name: bucket, versioned: true }];
    const target = { Bucket: bucket, Key: "kept" };
    const first = await aServer({ directory, buckets });
    const one = await aClient(first).send(
      new PutObjectCommand({ ...target, Body: "one", Metadata: { a: "1" } }),
    );
    await aClient(first).send(new PutObjectCommand({ ...target, Body: "two" }));
    const { UploadId } = await aClient(first).send(
      new CreateMultipartUploadCommand({ ...target, Key: "begun" }),
    );
    const part = { ...target, Key: "begun", UploadId, PartNumber: 1 };
    const { ETag } = await aClient(first).send(new UploadPartCommand({ ...part, Body: "part" }));
    await first.close();

    const client = aClient(await aServer({ directory, buckets }));

    const old = await client.send(new GetObjectCommand({ ...target, VersionId: one.VersionId }));
    expect(await old.Body?.transformToString()).toBe("one");
    expect(old.Metadata).toEqual({ a: "1" });
    const current = await client.send(new GetObjectCommand(target));
    expect(await current.Body?.transformToString()).toBe("two");
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    await client.send(
      new CompleteMultipartUploadCommand({ ...target, Key: "begun", UploadId, MultipartUpload }),
    );
    const completed = await client.send(new GetObjectCommand({ ...target, Key: "begun" }));
    expect(await completed.Body?.transformToString()).toBe("part");
  });

  it("cuts off a line that was torn and sweeps bytes that belong to nothing", async () => {
    const directory = await aDirectory();
    const buckets = [{ name: bucket, versioned: false }];
    const put = (to: S3Server, Key: string) =>
      aClient(to).send(new PutObjectCommand({ Bucket: bucket, Key, Body: Key }));
    const first = await aServer({ directory, buckets });
    await put(first, "before");
    await first.close();
    await appendFile(join(directory, "journal.jsonl"), '[{"type":"version-add');
    await writeFile(join(directory, "blobs", "left-over"), "x");

    const second = await aServer({ directory, buckets });
    await put(second, "after");
    await second.close();

    const third = aClient(await aServer({ directory, buckets }));
    const { Contents } = await third.send(new ListObjectsV2Command({ Bucket: bucket }));
    expect(Contents?.map(({ Key }) => Key)).toEqual(["after", "before"]);
    expect(await readdir(join(directory, "blobs"))).toHaveLength(2);
  });

  it("keeps its journal short, and loses nothing by that", async () => {
    const directory = await aDirectory();
    const buckets = [{ name: bucket, versioned: true, notify: () => new Promise<void>(() => {}) }];
    const target = { Bucket: bucket, Key: "kept" };
    const first = await aServer({ directory, buckets });
    const one = await aClient(first).send(new PutObjectCommand({ ...target, Body: "one" }));
    await aClient(first).send(new PutObjectCommand({ ...target, Body: "two" }));
    await first.close();
    const store = await ObjectStore.open({ directory, region, subscriptions: new Map() });
    const changes = Array.from({ length: 2_000 }, (_, at) => store.configure(bucket, "tagging", `${at}`));
    await Promise.all(changes);
    await store.close();

    const told = vi.fn(async (_record: S3EventRecordInput) => {});
    const second = await aServer({ directory, buckets: [{ name: bucket, versioned: true, notify: told }] });

    expect((await readFile(join(directory, "journal.jsonl"), "utf8")).split("\n").length).toBeLessThan(20);
    const old = await aClient(second).send(new GetObjectCommand({ ...target, VersionId: one.VersionId }));
    expect(await old.Body?.transformToString()).toBe("one");
    await vi.waitFor(() => expect(told).toHaveBeenCalledTimes(2), patience);
    await second.close();
    const third = await aServer({ directory, buckets });
    const current = await aClient(third).send(new GetObjectCommand(target));
    expect(await current.Body?.transformToString()).toBe("two");
  });

  it("after kill -9 has every object that was confirmed, and sends the events that were not", async () => {
    const directory = await aDirectory();
    const child = await aChildServer(directory);
    const client = aClient(child);
    const keys = Array.from({ length: 20 }, (_, at) => `killed/${String(at).padStart(2, "0")}`);
    await Promise.all(
      keys.map((Key) => client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: Key }))),
    );
    await child.kill();

    const told: string[] = [];
    const notify = async (record: S3EventRecordInput) => void told.push(record.s3.object.key);
    const next = aClient(await aServer({ directory, buckets: [{ name: bucket, versioned: false, notify }] }));

    await vi.waitFor(() => expect(told.toSorted()).toEqual(keys), patience);
    const contents = await Promise.all(
      keys.map(async (Key) =>
        (await next.send(new GetObjectCommand({ Bucket: bucket, Key }))).Body?.transformToString(),
      ),
    );
    expect(contents).toEqual(keys);
  });
});

// --- servers and clients

const directories: string[] = [];
const servers: S3Server[] = [];

async function aDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "codewell-s3-"));
  directories.push(directory);
  return directory;
}

async function aServer(options: {
  buckets: readonly S3BucketOptions[];
  directory?: string;
}): Promise<S3Server> {
  const directory = options.directory ?? (await aDirectory());
  const started = await startS3({ directory, region, credentials, buckets: options.buckets });
  let closed: Promise<void> | undefined;
  const once: S3Server = {
    ...started,
    close: () => {
      closed ??= started.close();
      return closed;
    },
  };
  servers.push(once);
  return once;
}

async function closeServers(): Promise<void> {
  await Promise.all(servers.map((one) => one.close()));
}

/** A server in a process of its own, whose receiver never answers. */
async function aChildServer(
  directory: string,
): Promise<Pick<S3Server, "endpoint"> & { kill(): Promise<void> }> {
  const module = new URL("../../local/s3/server.ts", import.meta.url).href;
  const buckets = `[{ name: ${JSON.stringify(bucket)}, versioned: false, notify: () => new Promise(() => {}) }]`;
  const options = `{ ...${JSON.stringify({ directory, region, credentials })}, buckets: ${buckets} }`;
  const script = `const { startS3 } = await import(${JSON.stringify(module)}); console.log((await startS3(${options})).endpoint);`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  return {
    endpoint: String(line).trim(),
    kill: async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

function aClient(
  { endpoint }: Pick<S3Server, "endpoint">,
  requestChecksumCalculation: "WHEN_SUPPORTED" | "WHEN_REQUIRED" = "WHEN_SUPPORTED",
  otherCredentials: Partial<typeof credentials> = {},
): S3Client {
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { ...credentials, ...otherCredentials },
    requestChecksumCalculation,
  });
}

function put(Key: string, Body: string | Buffer | Readable, more: Partial<PutObjectCommandInput> = {}) {
  return s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body, ...more }));
}

async function read(Key: string): Promise<string | undefined> {
  return (await s3.send(new GetObjectCommand({ Bucket: bucket, Key }))).Body?.transformToString();
}

async function exists(Key: string): Promise<boolean> {
  const { KeyCount } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: Key }));
  return KeyCount === 1;
}

async function inParts(
  Key: string,
  contents: readonly Buffer[],
  algorithm: "CRC32" | "CRC32C" | "CRC64NVME",
) {
  const target = { Bucket: bucket, Key };
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({
      ...target,
      ChecksumAlgorithm: algorithm,
      ChecksumType: "FULL_OBJECT",
    }),
  );
  const Parts = await Promise.all(
    contents.map(async (Body, at) => {
      const part = { ...target, UploadId, PartNumber: at + 1, Body, ChecksumAlgorithm: algorithm };
      const { ETag } = await s3.send(new UploadPartCommand(part));
      return { PartNumber: at + 1, ETag };
    }),
  );
  return s3.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts } }));
}

// --- forms

interface Form {
  readonly url: string;
  readonly fields: Record<string, string>;
}

function aForm(Key: string, more: Partial<PresignedPostOptions> = {}): Promise<Form> {
  return createPresignedPost(presigner, { Bucket: bucket, Key, Expires: 60, ...more });
}

async function post({ url, fields }: Form, content: string, fileName = "codes.csv") {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  body.append("file", new Blob([content]), fileName);
  const response = await fetch(url, { method: "POST", body });
  const text = await response.text();
  return { status: response.status, text, code: codeIn(text) };
}

function formPart(disposition: string, value: string): string {
  return `--limit\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;
}

async function rawPost(url: string, body: string): Promise<number> {
  const headers = { "content-type": "multipart/form-data; boundary=limit" };
  return (await fetch(url, { method: "POST", headers, body })).status;
}

function edit(
  fields: Record<string, string>,
  name: string,
  from: string,
  to: string,
): Record<string, string> {
  return { ...fields, [name]: fields[name]?.replace(from, to) ?? "" };
}

/** The policy with a later end. */
function widened(policy: string): string {
  const text = Buffer.from(policy, "base64")
    .toString()
    .replace(/"expiration":"\d{4}/, '"expiration":"2999');
  return Buffer.from(text).toString("base64");
}

// --- requests signed by hand

interface SignedPutOptions {
  readonly payloadHash?: string;
  readonly headers?: Record<string, string>;
  readonly unsignedHeaders?: Record<string, string>;
  readonly signedAt?: Date;
  readonly region?: string;
}

async function signPut(key: string, options: SignedPutOptions) {
  const signer = new SignatureV4({
    service: "s3",
    region: options.region ?? region,
    credentials,
    sha256: Sha256,
    uriEscapePath: false,
  });
  const { port, endpoint } = server;
  const signed = await signer.sign(
    {
      method: "PUT",
      protocol: "http:",
      hostname: "127.0.0.1",
      port,
      path: `/${bucket}/${key}`,
      headers: {
        host: new URL(endpoint).host,
        "x-amz-content-sha256": options.payloadHash ?? "UNSIGNED-PAYLOAD",
        ...options.headers,
      },
    },
    { signingDate: options.signedAt ?? new Date() },
  );
  return { ...signed.headers, ...options.unsignedHeaders };
}

async function signedPut(key: string, body: string, options: SignedPutOptions) {
  return send(key, await signPut(key, options), body);
}

async function send(key: string, headers: Record<string, string>, body: string) {
  const request = httpRequest(`${server.endpoint}/${bucket}/${key}`, {
    method: "PUT",
    headers: { ...headers, "content-length": Buffer.byteLength(body) },
  });
  request.end(body);
  const [response] = await once(request, "response");
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: Number(response.statusCode), code: codeIn(text) };
}

/** Sends chunks and a trailer, each signed, as https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html has it. */
async function signedChunks(key: string, chunks: readonly string[], tamper = (body: string) => body) {
  const headers = await signPut(key, {
    payloadHash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    headers: {
      "x-amz-decoded-content-length": String(Buffer.byteLength(chunks.join(""))),
      "x-amz-trailer": "x-amz-checksum-crc32",
    },
  });
  const signedAt = headers["x-amz-date"] ?? "";
  const date = signedAt.slice(0, 8);
  const signingKey = await getSigningKey(Sha256, credentials, date, region, "s3");
  let previous = /Signature=(\w+)/.exec(headers.authorization ?? "")?.[1] ?? "";
  const sign = (kind: string, ...hashes: string[]) => {
    const text = [
      `AWS4-HMAC-SHA256-${kind}`,
      signedAt,
      createScope(date, region, "s3"),
      previous,
      ...hashes,
    ].join("\n");
    previous = createHmac("sha256", signingKey).update(text).digest("hex");
    return previous;
  };

  const framed = [...chunks, ""].map((chunk) => {
    const signature = sign("PAYLOAD", sha256(Buffer.alloc(0)), sha256(Buffer.from(chunk)));
    return `${Buffer.byteLength(chunk).toString(16)};chunk-signature=${signature}\r\n${chunk}${chunk && "\r\n"}`;
  });
  const trailer = `x-amz-checksum-crc32:${base64Crc32(Buffer.from(chunks.join("")))}`;
  const trailerSignature = sign("TRAILER", sha256(Buffer.from(`${trailer}\n`)));
  const body = `${framed.join("")}${trailer}\r\nx-amz-trailer-signature:${trailerSignature}\r\n\r\n`;
  return send(key, headers, tamper(body));
}

// --- values

function codeIn(xml: string): string | undefined {
  return /<Code>(\w+)<\/Code>/.exec(xml)?.[1];
}

function sha256(bytes: Uint8Array | undefined): string {
  return createHash("sha256")
    .update(bytes ?? "")
    .digest("hex");
}

function base64Crc32(bytes: Buffer): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum.toString("base64");
}

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += mebibyte) yield bytes.subarray(at, at + mebibyte);
}

function onlyOne<T>(items: readonly T[]): T {
  expect(items).toHaveLength(1);
  return items[0]!;
}
