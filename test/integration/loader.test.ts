import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { engines } from "../support/engines.ts";
import { jobLinesOf } from "../support/job-lines.ts";
import { aLoaderWorld, type LoaderWorld, numbered } from "./loader-world.ts";

describe.each(engines)("the loader on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let world: LoaderWorld;

  beforeAll(async () => {
    engine = await start();
    world = await aLoaderWorld(engine);
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  it("puts a dropped file into the pool, all of it at once, and tells on its record what it held", async () => {
    const promocode = await world.aPromocode();

    const file = await world.load(
      promocode,
      "\ufeffCoupon code\r\nA1\r\nB2\r\n\r\nC 3\r\nA1\r\n",
      "März codes+1.csv",
    );

    expect(file).toMatchObject({
      fileName: "März codes+1.csv",
      source: "drop",
      status: "ready",
      rowsRead: 4,
      codes: 2,
      duplicatesInFile: 1,
      duplicatesInPool: 0,
      rejected: 1,
      header: "Coupon code",
      problems: [{ line: 5, reason: "has a blank inside" }],
      generation: 1,
      failureCode: null,
    });
    expect(file.fileId).toMatch(/^fil_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(file.loadedAt).toMatch(/Z$/);
    expect((await world.pool(promocode)).codes).toEqual(["A1", "B2"]);
  });

  it("skips and counts what the pool holds already, from whichever file", async () => {
    const promocode = await world.aPromocode();
    await world.load(promocode, numbered(300, "A").join("\n"));
    await world.load(promocode, numbered(300, "B").join("\n"));

    const file = await world.load(
      promocode,
      [...numbered(310, "A"), ...numbered(305, "B"), ...numbered(305, "B"), "NEW"].join("\n"),
    );

    expect(file).toMatchObject({
      status: "ready",
      generation: 3,
      rowsRead: 921,
      codes: 16,
      duplicatesInFile: 305,
      duplicatesInPool: 600,
    });
    expect((await world.pool(promocode)).codes).toEqual(
      [...numbered(310, "A"), ...numbered(305, "B"), "NEW"].sort(),
    );
  });

  it("takes a file that brings nothing new as loaded, without a generation", async () => {
    const promocode = await world.aPromocode();
    await world.load(promocode, "A1\nB2");

    const file = await world.load(promocode, "B2\nA1");

    expect(file).toMatchObject({ status: "ready", codes: 0, duplicatesInPool: 2, generation: null });
    expect((await world.pool(promocode)).generations).toHaveLength(1);
  });

  it("spreads a small pool and writes every cell of it, so that no code is out of reach", async () => {
    const promocode = await world.aPromocode();

    await world.load(promocode, numbered(400).join("\n"));

    const { generations, codes, free } = await world.pool(promocode);
    expect(generations[0]).toMatchObject({ number: 1, shards: 16, codes: 400, status: "published" });
    expect(codes).toEqual(numbered(400).sort());
    expect(free).toBe(400);
  });

  it("loads 20 codes", async () => {
    const promocode = await world.aPromocode();

    await world.load(promocode, numbered(20).join("\n"));

    expect((await world.pool(promocode)).codes).toEqual(numbered(20).sort());
  });

  describe("a file that cannot be loaded", () => {
    it.each([
      ["empty-file", "", "codes.csv"],
      ["no-valid-codes", "code\nnot one\n", "codes.csv"],
      ["ambiguous-columns", "code,voucher\nA,B\n", "codes.csv"],
      ["unterminated-quote", 'A1\n"B2\n', "codes.csv"],
      ["unsupported-encoding", Buffer.from("code\nA1\n", "utf16le"), "codes.csv"],
      ["compressed-file", Buffer.of(0x1f, 0x8b, 8, 0), "codes.csv"],
      ["binary-file", "A1\nB\0\n", "codes.csv"],
      ["row-too-long", `A1\n${"x".repeat(70_000)}\n`, "codes.csv"],
      ["not-a-csv-file", "A1\n", "codes.txt"],
    ])("fails with %s, says what to do and leaves nothing in the pool", async (code, content, name) => {
      const promocode = await world.aPromocode();

      const file = await world.load(promocode, content, name);

      expect(file).toMatchObject({
        status: "failed",
        failureCode: code,
        codes: 0,
        generation: null,
        loadedAt: null,
      });
      expect(file.failureMessage).toMatch(/\.$/);
      expect((await world.pool(promocode)).generations).toEqual([]);
    });

    it("fails when its promotion is archived", async () => {
      const promocode = await world.aPromocode();
      const { promotions } = await import("../../shared/storage/promotions.ts");
      await promotions.setStatus(promocode.promotionId, "archived", new Date());

      expect(await world.load(promocode, "A1\n")).toMatchObject({
        status: "failed",
        failureCode: "archived-promotion",
      });
    });

    it("fails when its promocode is global", async () => {
      const { promotionId } = await world.aPromotion();
      const { promocodes } = await import("../../shared/storage/promocodes.ts");
      const promocodeId = `pcd_${crypto.randomUUID()}`;
      const times = { createdAt: "2026-11-23T00:00:00.000Z", updatedAt: "2026-11-23T00:00:00.000Z" };
      const code = promocodeId.slice(0, 40);
      await promocodes.create({ promocodeId, promotionId, type: "global", code, ...times }, promocodeId);

      expect(await world.load({ promocodeId }, "A1\n")).toMatchObject({
        status: "failed",
        failureCode: "not-personalized",
      });
    });

    it("fails when its object is gone", async () => {
      const promocode = await world.aPromocode();
      const { DeleteObjectCommand } = await import("@aws-sdk/client-s3");
      const { object, event } = await world.drop(promocode, "A1\n");
      await world.s3.send(
        new DeleteObjectCommand({ Bucket: "uploads-bucket", Key: object.key, VersionId: object.versionId }),
      );

      await world.deliver(event);

      expect(await world.fileOf(promocode, object)).toMatchObject({
        status: "failed",
        failureCode: "object-gone",
      });
    });

    it("is found again by its event when its object was deleted since", async () => {
      const { DeleteObjectCommand } = await import("@aws-sdk/client-s3");
      const promocode = await world.aPromocode();
      const { object, event } = await world.drop(promocode, "A1\n");
      await world.deliver(event);
      await world.s3.send(
        new DeleteObjectCommand({ Bucket: "uploads-bucket", Key: object.key, VersionId: object.versionId }),
      );

      expect(await world.deliver(event)).toBe(true);

      expect(await world.files(promocode)).toMatchObject([{ status: "ready", codes: 1 }]);
    });
  });

  it("lists all refused rows in a file of their own when there are more than 20", async () => {
    const promocode = await world.aPromocode();
    const bad = Array.from({ length: 1200 }, (_, index) => (index === 3 ? "=1+ 1" : `bad ${index}`));

    const file = await world.load(promocode, ["code", "GOOD", ...bad].join("\n"));

    expect(file).toMatchObject({ status: "ready", codes: 1, rejected: 1200, rowsRead: 1201 });
    expect(file.problems).toHaveLength(20);
    expect(file.problems[19]).toEqual({ line: 22, reason: "has a blank inside" });
    const rejects = (await world.rejectsOf(file.fileId)).trimEnd().split("\n");
    expect(rejects).toHaveLength(1201);
    expect(rejects.slice(0, 2)).toEqual(["line,reason,value", "3,has a blank inside,bad 0"]);
    expect(rejects[4]).toBe("6,has a blank inside,'=1+ 1");
    expect(rejects[1200]).toBe("1202,has a blank inside,bad 1199");
  });

  it("lists the refused rows of a file without any valid code too", async () => {
    const promocode = await world.aPromocode();

    const file = await world.load(
      promocode,
      Array.from({ length: 25 }, (_, index) => `b ${index}`).join("\n"),
    );

    expect(file).toMatchObject({
      status: "failed",
      failureCode: "no-valid-codes",
      rejected: 25,
      rowsRead: 25,
    });
    expect(await world.rejectsOf(file.fileId)).toContain("25,has a blank inside,b 24");
  });

  describe("events", () => {
    it("may repeat: the file is loaded once", async () => {
      const promocode = await world.aPromocode();
      const { event } = await world.drop(promocode, "A1\nB2\n");

      for (let times = 0; times < 3; times++) expect(await world.deliver(event)).toBe(true);

      expect(await world.files(promocode)).toHaveLength(1);
      const { generations, codes } = await world.pool(promocode);
      expect(generations).toHaveLength(1);
      expect(codes).toEqual(["A1", "B2"]);
    });

    it("may arrive in any order: every version of an overwritten object is a file of its own", async () => {
      const promocode = await world.aPromocode();
      const older = await world.drop(promocode, "OLD\nBOTH\n");
      const newer = await world.drop(promocode, "NEW\nBOTH\n");

      await world.deliver(newer.event);
      await world.deliver(older.event);

      expect(await world.fileOf(promocode, newer.object)).toMatchObject({ codes: 2, generation: 1 });
      expect(await world.fileOf(promocode, older.object)).toMatchObject({
        codes: 1,
        duplicatesInPool: 1,
        generation: 2,
      });
      expect((await world.pool(promocode)).codes).toEqual(["BOTH", "NEW", "OLD"]);
    });

    it("of an announced upload count once: the version that came first", async () => {
      const promocode = await world.aPromocode();
      const { codeFiles } = await import("../../shared/storage/code-files.ts");
      const fileId = "fil_01KA5S2H4N6P8R0T2V4X6Z8A0C";
      const { promocodeId } = promocode;
      await codeFiles.create({
        fileId,
        promocodeId,
        fileName: "mine.csv",
        source: "upload",
        objectKey: null,
        versionId: null,
        createdAt: "2026-11-23T09:00:00.000Z",
      });
      const first = await world.put(`uploads/${promocodeId}/${fileId}.csv`, "FIRST\n");
      const second = await world.put(`uploads/${promocodeId}/${fileId}.csv`, "SECOND\n");

      await world.deliver(world.eventOf(first));
      await world.deliver(world.eventOf(second));

      expect(await world.files(promocode)).toMatchObject([
        { fileId, status: "ready", codes: 1, fileName: "mine.csv" },
      ]);
      expect((await world.pool(promocode)).codes).toEqual(["FIRST"]);
    });

    it("of folders, unknown promocodes, unknown uploads and S3's test are consumed without a record", async () => {
      const promocode = await world.aPromocode();
      const unknown = { promocodeId: "nobody" };
      const events = [
        { Service: "Amazon S3", Event: "s3:TestEvent", Time: "2026-11-23T09:00:00.000Z", Bucket: "b" },
        world.eventOf(await world.put(`promocodes/${promocode.promocodeId}/`, "")),
        (await world.drop(unknown, "A1\n")).event,
        world.eventOf(await world.put("promocodes/lost.csv", "A1\n")),
        world.eventOf(await world.put(`uploads/${promocode.promocodeId}/fil_${"0".repeat(26)}.csv`, "A1\n")),
      ];

      for (const event of events) expect(await world.deliver(event)).toBe(true);

      expect(await world.files(promocode)).toEqual([]);
      expect(await world.files(unknown)).toEqual([]);
    });
  });

  it("loads 100,000 rows, and its codes cost what the layout promises", async () => {
    const promocode = await world.aPromocode();
    const rows = [...numbered(40_000), ...numbered(40_000), ...numbered(20_000)];
    const { object, event } = await world.drop(promocode, `code\n${rows.join("\n")}`);
    const { meterDirectRequests } = await import("../../bench/lib/direct-meter.ts");
    const meter = meterDirectRequests();

    await world.deliver(event);
    meter.stop();

    expect(await world.fileOf(promocode, object)).toMatchObject({
      status: "ready",
      rowsRead: 100_000,
      codes: 40_000,
      duplicatesInFile: 60_000,
    });
    const { codes, cells, free } = await world.pool(promocode);
    expect(codes).toEqual(numbered(40_000).sort());
    expect(free).toBe(40_000);
    expect(meter.writeUnits).toBe(cells);
    expect(meter.writeUnits / 40_000).toBeLessThan(0.0725);
  }, 60_000);

  it("logs one line for each message: the file, what became of it, what it held; no code of it", async () => {
    const promocode = await world.aPromocode();
    const { promocodeId } = promocode;
    const good = await world.drop(promocode, "SECRET-1\nSECRET-2\nSECRET-2\nSECRET 3", "good.csv");
    const bad = await world.drop(promocode, '"SECRET-4', "bad.csv");

    const lines = await jobLinesOf(async () => {
      await world.deliver(good.event);
      await world.deliver(good.event);
      await world.deliver(bad.event, { receives: 2 });
    });

    const [{ fileId }, failed] = [
      await world.fileOf(promocode, good.object),
      await world.fileOf(promocode, bad.object),
    ];
    const common = { message: "worked", job: "load-code-file", messageId: "m", receives: 1, promocodeId };
    expect(lines).toEqual([
      {
        ...common,
        fileId,
        attempt: expect.any(Number),
        outcome: "loaded",
        generation: 1,
        rowsRead: 4,
        codes: 2,
        duplicatesInFile: 1,
        duplicatesInPool: 0,
        rejected: 1,
      },
      { ...common, fileId, outcome: "nothing to do" },
      {
        ...common,
        receives: 2,
        fileId: failed.fileId,
        attempt: expect.any(Number),
        outcome: "refused",
        failure: "unterminated-quote",
        rowsRead: expect.any(Number),
        rejected: 0,
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain("SECRET");
  });
});
