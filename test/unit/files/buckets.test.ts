import { Readable } from "node:stream";
import { GetObjectCommand, HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, it } from "vitest";
import { readFile } from "../../../functions/load-code-file/read-file.ts";
import { maxFileBytes } from "../../../shared/contract/conventions.ts";
import { dropFileId, lastModifiedOf, openObject, parseUploadsKey } from "../../../shared/files/buckets.ts";

process.env.UPLOADS_BUCKET = "uploads";
const s3 = mockClient(S3Client);
const object = { objectKey: "promocodes/pcd_1/a.csv", versionId: "v1" };

/** A body that sends these chunks and, at the end, breaks. */
const brokenAfter = (...chunks: string[]) =>
  Readable.from(
    (async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk);
      throw new Error("aborted");
    })(),
  );
const answer = (body: Readable, bytes: number) => ({ Body: body as never, ContentLength: bytes });
const textOf = async ({ chunks }: { chunks: AsyncIterable<Uint8Array> }) => {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
};
const ranges = () => s3.commandCalls(GetObjectCommand).map(({ args }) => args[0].input.Range);

describe("an object of the uploads bucket", () => {
  beforeEach(() => s3.reset());

  it("is read in the version that the event named, and taken up where the connection broke", async () => {
    s3.on(GetObjectCommand)
      .resolvesOnce(answer(brokenAfter("abc", "de"), 9))
      .resolvesOnce(answer(brokenAfter(), 4))
      .resolvesOnce(answer(Readable.from([Buffer.from("fghi")]), 4));

    expect(await textOf(await openObject(object))).toBe("abcdefghi");
    expect(ranges()).toEqual([undefined, "bytes=5-", "bytes=5-"]);
    for (const { args } of s3.commandCalls(GetObjectCommand)) expect(args[0].input.VersionId).toBe("v1");
  });

  it("that ends too early is taken up too", async () => {
    s3.on(GetObjectCommand)
      .resolvesOnce(answer(Readable.from([Buffer.from("abc")]), 5))
      .resolvesOnce(answer(Readable.from([Buffer.from("de")]), 2));

    expect(await textOf(await openObject(object))).toBe("abcde");
  });

  it("fails when the connection keeps breaking", async () => {
    s3.on(GetObjectCommand).callsFake(() => answer(brokenAfter(), 5));

    await expect(textOf(await openObject(object))).rejects.toThrow("aborted");
    expect(ranges()).toHaveLength(6);
  });

  it.each([404, 405])("is gone when S3 answers %i", async (httpStatusCode) => {
    const gone = Object.assign(new Error("gone"), { $metadata: { httpStatusCode } });
    s3.on(GetObjectCommand).rejects(gone);
    s3.on(HeadObjectCommand).rejects(gone);

    await expect(openObject(object)).rejects.toMatchObject({ code: "object-gone" });
    expect(await lastModifiedOf(object)).toBeUndefined();
  });

  it("is refused when it is too large, before any of it is read", async () => {
    s3.on(GetObjectCommand).resolves(answer(brokenAfter(), maxFileBytes + 1));
    const file = { ...object, fileName: "a.csv" } as Parameters<typeof readFile>[0];

    await expect(readFile(file, {} as Parameters<typeof readFile>[1])).rejects.toMatchObject({
      code: "file-too-large",
    });
  });
});

describe("a key of the uploads bucket", () => {
  const fileId = "fil_01KA5S2H4N6P8R0T2V4X6Z8A0C";

  it.each([
    [`uploads/pcd_1/${fileId}.csv`, { kind: "upload", promocodeId: "pcd_1", fileId }],
    ["promocodes/pcd_1/März 1+2.csv", { kind: "drop", promocodeId: "pcd_1", fileName: "März 1+2.csv" }],
    ["promocodes/pcd_1/2026/a.csv", { kind: "drop", promocodeId: "pcd_1", fileName: "2026/a.csv" }],
    ["promocodes/pcd_1/a.txt", { kind: "drop", promocodeId: "pcd_1", fileName: "a.txt" }],
    ["promocodes/pcd_1/", { kind: "folder" }],
    ["promocodes/a.csv", { kind: "unknown" }],
    ["promocodes/not an id/a.csv", { kind: "unknown" }],
    ["uploads/pcd_1/other.csv", { kind: "unknown" }],
    ["elsewhere/a.csv", { kind: "unknown" }],
  ])("%s", (key, meaning) => {
    expect(parseUploadsKey(key)).toEqual(meaning);
  });

  it("gives a dropped file an id of its own for every version, always the same", () => {
    const at = new Date("2026-11-23T09:00:00Z");
    const id = dropFileId(object, at);

    expect(id).toMatch(/^fil_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(dropFileId({ ...object }, at)).toBe(id);
    expect(dropFileId({ ...object, versionId: "v2" }, at)).not.toBe(id);
    expect(dropFileId({ ...object, objectKey: "promocodes/pcd_1/b.csv" }, at)).not.toBe(id);
    expect(dropFileId(object, new Date(at.getTime() + 1000)) > id).toBe(true);
  });
});
