import { Readable } from "node:stream";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { describe, expect, it } from "vitest";
import type { CodeFile } from "../../shared/contract/code-files.ts";
import type { Promocode } from "../../shared/contract/promocodes.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import type { ServiceClient } from "../support/service-client.ts";
import { sharedService } from "./bad-input-world.ts";
import { megabytes } from "./file-contents.ts";

const patienceMs = 400_000;
const megabyte = Buffer.alloc(megabytes(1), "SECRET-CODE\n");

/** 1,024 bytes are S3's limit, the prefix and the promocode's id among them. */
const longestName = (promocodeId: string, character: string): string => {
  const left = 1_024 - Buffer.byteLength(`promocodes/${promocodeId}/.csv`);
  return `${character.repeat(Math.floor(left / Buffer.byteLength(character)))}.csv`;
};

const filesOf = async (client: ServiceClient, promocodeId: string): Promise<readonly CodeFile[]> =>
  (await client.call<{ items: CodeFile[] }>("GET", `/v1/promocodes/${promocodeId}/files`)).body.items;

/** A file that is dropped behind others and ready: what came before it has had its turn. */
const afterOneMore = async (client: ServiceClient): Promise<void> => {
  const { promocodeId } = await client.promocode();
  await client.drop(promocodeId, "one-more.csv", "A\n");
  await client.loadedFiles(promocodeId, 1, patienceMs);
};

const globalPromocode = async (client: ServiceClient): Promise<string> => {
  const promotion = await client.call<Promotion>("POST", "/v1/promotions", { name: "x", status: "active" });
  const promocode = await client.call<Promocode>("POST", "/v1/promocodes", {
    promotionId: promotion.body.promotionId,
    type: "global",
    code: `KEYS-${promotion.body.promotionId}`,
  });
  return promocode.body.promocodeId;
};

describe.concurrent("object key of a file", () => {
  it.for([
    ["a plus", "a+b+c.csv"],
    ["a plus and a blank, which events write alike", "a+b c.csv"],
    ["blanks", " a  b .csv"],
    ["a percent-encoded slash", "a%2Fb.csv"],
    ["a percent-encoded percent", "a%252Fb.csv"],
    ["a percent alone", "100%.csv"],
    ["dots", "../../other/..csv.csv"],
    ["folders", "2026/11/codes.csv"],
    ["a suffix and nothing else", ".csv"],
    ["a suffix in capitals", "CODES.CSV"],
    ["letters of many kinds", "Größe-中文-あ-😀-e\u0301.csv"],
    ["what addresses are made of", "a?b#c&d=e;f:g@h,i.csv"],
    ["quotation marks and brackets", `a"b'c<d>[e]{f}|g\\h^i\`j.csv`],
    ["a name of every object", "__proto__.csv"],
    ["a line break", "a\nb.csv"],
  ])("with %s: the file is loaded under its own name", async ([, name]) => {
    const client = sharedService();
    const { promocodeId } = await client.promocode();

    await client.drop(promocodeId, name!, "A\nB\n");
    const [file] = await client.loadedFiles(promocodeId, 1, patienceMs);

    expect(file).toMatchObject({ status: "ready", codes: 2, fileName: name, source: "drop" });
  });

  it.for([
    ["one byte", "x"],
    ["four bytes", "😀"],
  ])("of 1,024 bytes, in characters of %s: the file is loaded", async ([, character]) => {
    const client = sharedService();
    const { promocodeId } = await client.promocode();
    const name = longestName(promocodeId, character!);

    await client.drop(promocodeId, name, "A\n");
    const [file] = await client.loadedFiles(promocodeId, 1, patienceMs);

    expect(file).toMatchObject({ status: "ready", fileName: name });
  });

  it("of 1,025 bytes: S3 refuses it", async () => {
    const client = sharedService();
    const { promocodeId } = await client.promocode();

    const drop = client.drop(promocodeId, `x${longestName(promocodeId, "x")}`, "A\n");

    await expect(drop).rejects.toThrow(/key is too long/i);
  });

  it.for(["codes.txt", "codes.csv.gz", "codes", "codes.csv ", "csv"])(
    "that does not end with .csv, %j: failed, with a sentence",
    async (name) => {
      const client = sharedService();
      const { promocodeId } = await client.promocode();

      await client.drop(promocodeId, name, "SECRET-1\n");
      const [file] = await client.loadedFiles(promocodeId, 1, patienceMs);
      const given = await client.allocate(promocodeId, { customerId: "anybody" });

      expect(file).toMatchObject({ status: "failed", failure: { code: "not-a-csv-file" } });
      expect(file?.failure?.message).toMatch(/^The name .*\.csv.*\.$/s);
      expect(given.body.source).toBe("default");
    },
  );

  it("of a global promocode: failed, and everybody still has its one code", async () => {
    const client = sharedService();
    const promocodeId = await globalPromocode(client);

    await client.drop(promocodeId, "codes.csv", "SECRET-1\n");
    const [file] = await client.loadedFiles(promocodeId, 1, patienceMs);
    const given = await client.allocate(promocodeId, { customerId: "anybody" });

    expect(file).toMatchObject({ status: "failed", failure: { code: "not-personalized" } });
    expect(given.body).toMatchObject({ source: "global" });
  });

  it.for([
    ["a folder", (id: string) => `promocodes/${id}/`],
    ["a folder in a folder", (id: string) => `promocodes/${id}/2026/`],
    ["the folder of all promocodes", () => "promocodes/"],
    ["no promocode", () => "promocodes/codes.csv"],
    ["an empty promocode", () => "promocodes//codes.csv"],
    ["a promocode that cannot be one", () => "promocodes/a b/codes.csv"],
    ["dots for a promocode", () => "promocodes/../codes.csv"],
    ["a promocode that there is not", () => "promocodes/pcd_unknown/codes.csv"],
    ["no prefix", (id: string) => `${id}/codes.csv`],
    ["another prefix", (id: string) => `other/${id}/codes.csv`],
    ["a prefix in capitals", (id: string) => `Promocodes/${id}/codes.csv`],
    ["an upload that nobody announced", (id: string) => `uploads/${id}/fil_01KA5S2H4N6P8R0T2V4X6Z8A0C.csv`],
    ["an upload without a file's id", (id: string) => `uploads/${id}/codes.csv`],
    ["an upload into another folder", (id: string) => `uploads/${id}/x/fil_01KA5S2H4N6P8R0T2V4X6Z8A0C.csv`],
  ] as const)("that names %s: no record, no code, no harm", async ([, keyOf]) => {
    const client = sharedService();
    const { promocodeId } = await client.promocode();

    await client.put(keyOf(promocodeId), "SECRET-1\n");
    await afterOneMore(client);
    const given = await client.allocate(promocodeId, { customerId: "anybody" });

    expect(await filesOf(client, promocodeId)).toEqual([]);
    expect(given.body.source).toBe("default");
    expect((await client.call("GET", "/health")).status).toBe(200);
  });
});

interface Announced {
  readonly file: CodeFile;
  readonly upload: {
    readonly url: string;
    readonly fields: Record<string, string>;
    readonly maxBytes: number;
  };
}

interface Policy {
  readonly expiration: string;
  readonly conditions: unknown[];
}

describe.concurrent("form of an upload", () => {
  const announced = async (client: ServiceClient) => {
    const { promocodeId } = await client.promocode();
    const path = `/v1/promocodes/${promocodeId}/files`;
    const { body } = await client.call<Announced>("POST", path, { fileName: "codes.csv" });
    return { promocodeId, ...body };
  };
  const policyIn = (fields: Record<string, string>): Policy =>
    JSON.parse(Buffer.from(fields.Policy ?? "", "base64").toString());
  const statusOf = async (url: string, fields: Record<string, string>): Promise<number> => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", new Blob(["SECRET-1\n"]), "codes.csv");
    return (await fetch(url, { method: "POST", body: form })).status;
  };

  it("permits one key, up to 500 MB, for 15 minutes, and no byte more", async () => {
    const { upload, file, promocodeId } = await announced(sharedService());

    const { expiration, conditions } = policyIn(upload.fields);

    const key = `uploads/${promocodeId}/${file.fileId}.csv`;
    expect(upload.maxBytes).toBe(megabytes(500));
    expect(conditions).toContainEqual(["content-length-range", 0, megabytes(500)]);
    expect(conditions).toContainEqual({ key });
    expect(Date.parse(expiration) - Date.parse(file.createdAt)).toBeLessThanOrEqual(901_000);
    expect(upload.fields.key).toBe(key);
  });

  it.for([
    ["another key", (fields) => ({ ...fields, key: "promocodes/x/codes.csv" })],
    ["a key that climbs", (fields) => ({ ...fields, key: `${fields.key}/../x.csv` })],
    ["no policy", ({ Policy: _, ...fields }) => fields],
    ["no signature", ({ "X-Amz-Signature": _, ...fields }) => fields],
    ["a field of its own", (fields) => ({ ...fields, acl: "public-read" })],
    [
      "a policy for more bytes",
      (fields) => ({
        ...fields,
        Policy: Buffer.from(
          Buffer.from(fields.Policy ?? "", "base64")
            .toString()
            .replace(String(megabytes(500)), "99999999999"),
        ).toString("base64"),
      }),
    ],
    [
      "a policy that lasts longer",
      (fields) => ({
        ...fields,
        Policy: Buffer.from(
          JSON.stringify({ ...policyIn(fields), expiration: "2099-01-01T00:00:00Z" }),
        ).toString("base64"),
      }),
    ],
    ["a policy that is none", (fields) => ({ ...fields, Policy: "e30=" })],
  ] as readonly [string, (fields: Record<string, string>) => Record<string, string>][])(
    "with %s: S3 refuses it, and the file goes on waiting",
    async ([, change]) => {
      const client = sharedService();
      const { upload, file, promocodeId } = await announced(client);

      const status = await statusOf(upload.url, change(upload.fields));
      await afterOneMore(client);

      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(await filesOf(client, promocodeId)).toMatchObject([
        { fileId: file.fileId, status: "awaiting-upload" },
      ]);
    },
  );

  it("does not bind a drop: an object of 500 MB and a byte is failed without being read", async () => {
    const client = sharedService();
    const { promocodeId } = await client.promocode();
    const { endpoint, region, accessKeyId, secretAccessKey, uploadsBucket } = client.endpoints.s3;
    const s3 = new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
      requestChecksumCalculation: "WHEN_REQUIRED",
    });
    const tooMuch = function* () {
      for (let at = 0; at < 500; at++) yield megabyte;
      yield Buffer.from("A");
    };

    await s3.send(
      new PutObjectCommand({
        Bucket: uploadsBucket,
        Key: `promocodes/${promocodeId}/codes.csv`,
        Body: Readable.from(tooMuch()),
        ContentLength: megabytes(500) + 1,
      }),
    );
    s3.destroy();
    const [file] = await client.loadedFiles(promocodeId, 1, patienceMs);

    expect(file).toMatchObject({ status: "failed", failure: { code: "file-too-large" }, rowsRead: 0 });
    expect(file?.failure?.message).toContain(String(megabytes(500)));
  });
});
