import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { jobLinesOf } from "../support/job-lines.ts";
import { type AudienceWorld, anAudienceWorld } from "./audience-world.ts";

const fileOf = (ids: readonly string[]): string => `customerId\n${ids.join("\n")}\n`;
const distinct = (values: readonly string[]): number => new Set(values).size;

describe.each(engines)("an audience on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let world: AudienceWorld;
  beforeAll(async () => {
    engine = await start();
    world = await anAudienceWorld(engine);
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  it("gets a code for every customer, many in one write, and the result tells who got which", async () => {
    const promocode = await world.aPromocode(someCodes(2_000));
    const audienceId = await world.anAudience(promocode, fileOf(customers(1_000)), {
      occurenceId: "send-1",
      seriesId: "autumn",
    });
    const { meterDirectRequests } = await import("../../bench/lib/direct-meter.ts");
    const meter = meterDirectRequests();

    expect(await world.run(audienceId)).toBe("done");
    meter.stop();

    const audience = await world.find(audienceId);
    const rows = await world.resultOf(audienceId);
    const holders = await world.holders(promocode);
    expect(audience).toMatchObject({
      status: "succeeded",
      attempt: 1,
      rows: { read: 1_000, customers: 1_000, repeatedInFile: 0, rejected: 0 },
      counts: { pool: 1_000, repeated: 0, default: 0, refused: 0 },
      result: { rows: 1_000 },
      failure: null,
    });
    expect(rows[0]).toMatchObject({
      promocodeId: promocode.promocodeId,
      promotionId: promocode.promotionId,
      timestamp: audience.startedAt,
      occurenceId: "send-1",
      seriesId: "autumn",
      actionId: "",
      source: "pool",
    });
    expect(rows.map(({ customerId }) => customerId).sort()).toEqual([...customers(1_000)].sort());
    expect(new Map(rows.map(({ customerId, uniqueCode }) => [customerId, uniqueCode]))).toEqual(
      new Map(holders.map(({ token, code }) => [token, code])),
    );
    expect(distinct(rows.map(({ uniqueCode }) => uniqueCode))).toBe(1_000);
    expect(meter.writeCalls).toBeGreaterThan(100);
    expect(meter.writeCalls).toBeLessThan(400);
  });

  it("keeps the code of a customer who holds one, and tells for what it was given", async () => {
    const promocode = await world.aPromocode(someCodes(300));
    const before = await world.allocate(promocode, "customer-7", "welcome-mail");
    const audienceId = await world.anAudience(promocode, fileOf(customers(100)), { occurenceId: "send-2" });

    await world.run(audienceId);

    const row = (await world.resultOf(audienceId)).find(({ customerId }) => customerId === "customer-7");
    expect(row).toMatchObject({
      uniqueCode: (before as { uniqueCode: string }).uniqueCode,
      timestamp: (before as { timestamp: string }).timestamp,
      occurenceId: "welcome-mail",
      source: "repeated",
    });
    expect((await world.find(audienceId)).counts).toEqual({ pool: 99, repeated: 1, default: 0, refused: 0 });
  });

  it("is one customer where the file repeats it; rows without a valid id are listed with their lines", async () => {
    const promocode = await world.aPromocode(someCodes(100));
    const content = `name;Customer ID;\nAda;ada;\nBob;"bob;1";\nAda;ada;\nNobody;;\nTab;"a\tb";\nÜ;ünï-✓;\n`;
    const audienceId = await world.anAudience(promocode, content);

    await world.run(audienceId);

    const audience = await world.find(audienceId);
    expect(audience.rows).toEqual({ read: 6, customers: 3, repeatedInFile: 1, rejected: 2 });
    expect(audience.problems).toEqual([
      { line: 5, reason: "has no customer id" },
      { line: 6, reason: "has a control character inside" },
    ]);
    expect((await world.resultOf(audienceId)).map(({ customerId }) => customerId).sort()).toEqual([
      "ada",
      "bob;1",
      "ünï-✓",
    ]);
  });

  it("gets a new code under Varying, and the same one when the same occurrence comes again", async () => {
    const promocode = await world.aPromocode(someCodes(500), { allocationMethod: "Varying" });
    const codesOf = async (occurenceId: string | null) => {
      const audienceId = await world.anAudience(promocode, fileOf(customers(50)), { occurenceId });
      await world.run(audienceId);
      const rows = await world.resultOf(audienceId);
      return new Map(rows.map(({ customerId, uniqueCode }) => [customerId, uniqueCode]));
    };

    const first = await codesOf("send-1");
    const again = await codesOf("send-1");
    const unnamed = await codesOf(null);
    const unnamedAgain = await codesOf(null);
    const single = await world.allocate(promocode, "customer-3", "send-1");

    expect(again).toEqual(first);
    expect(single).toMatchObject({ uniqueCode: first.get("customer-3"), repeated: true });
    const all = [first, unnamed, unnamedAgain].flatMap((codes) => [...codes.values()]);
    expect(distinct(all)).toBe(150);
  });

  it("finds the pool dry row by row: default codes, on record", async () => {
    const promocode = await world.aPromocode(someCodes(120));
    const audienceId = await world.anAudience(promocode, fileOf(customers(400)), { occurenceId: "send-3" });

    await world.run(audienceId, { customersAtOnce: 100 });

    const { counts, status } = await world.find(audienceId);
    const rows = await world.resultOf(audienceId);
    const defaults = rows.filter(({ source }) => source === "default");
    expect(status).toBe("succeeded");
    expect(counts).toEqual({ pool: 120, repeated: 0, default: 280, refused: 0 });
    expect(distinct(rows.filter(({ source }) => source === "pool").map(({ uniqueCode }) => uniqueCode))).toBe(
      120,
    );
    expect(defaults).toHaveLength(280);
    expect(new Set(defaults.map(({ uniqueCode, fileId }) => `${uniqueCode} ${fileId}`))).toEqual(
      new Set(["DEFAULT "]),
    );
    expect(await world.defaultsGivenTo(promocode.promocodeId, defaults[0]!.customerId)).toHaveLength(1);
  });

  it("finds the pool dry row by row: refused, where the promocode is set to refuse", async () => {
    const promocode = await world.aPromocode(someCodes(30), { onExhausted: "refuse" });
    const audienceId = await world.anAudience(promocode, fileOf(customers(50)));

    await world.run(audienceId);

    const refused = (await world.resultOf(audienceId)).filter(({ source }) => source === "refused");
    expect((await world.find(audienceId)).counts).toEqual({ pool: 30, repeated: 0, default: 0, refused: 20 });
    expect(refused).toHaveLength(20);
    expect(refused.every(({ uniqueCode, timestamp }) => uniqueCode === "" && timestamp === "")).toBe(true);
  });

  it("gets the codes of a file that comes while it runs", async () => {
    const promocode = await world.aPromocode(someCodes(100));
    const audienceId = await world.anAudience(promocode, fileOf(customers(900)));
    let looks = 0;
    let refilled: Promise<unknown> | undefined;
    const timeLeftMs = () => {
      looks += 1;
      if (looks === 3) refilled = world.publish(promocode, someCodes(1_000, "NEW"));
      return 900_000;
    };

    await world.run(audienceId, { customersAtOnce: 50, timeLeftMs });
    await refilled;

    const { counts } = await world.find(audienceId);
    const rows = await world.resultOf(audienceId);
    const codes = rows.filter(({ source }) => source === "pool").map(({ uniqueCode }) => uniqueCode);
    expect(codes.some((code) => code.startsWith("NEW"))).toBe(true);
    expect(distinct(codes)).toBe(counts.pool);
    expect(counts.pool + counts.default).toBe(900);
    expect(counts.default).toBeLessThan(800);
  });

  it("that repeats a dry one gets what the pool has by then: earlier codes again, new ones for the others", async () => {
    const promocode = await world.aPromocode(someCodes(60));
    const first = await world.anAudience(promocode, fileOf(customers(100)));
    await world.run(first);
    await world.publish({ ...promocode, lastGeneration: 1 }, someCodes(100, "NEW"));
    const second = await world.anAudience(promocode, fileOf(customers(100)));

    await world.run(second);

    expect((await world.find(first)).counts).toMatchObject({ pool: 60, default: 40 });
    expect((await world.find(second)).counts).toEqual({ pool: 40, repeated: 60, default: 0, refused: 0 });
    expect(await world.holders(promocode)).toHaveLength(100);
  });

  describe("whose promotion is not active", () => {
    it("is refused as a single call is, and nobody gets a code", async () => {
      const promocode = await world.aPromocode(someCodes(10), {}, await world.aPromotion("draft"));
      const audienceId = await world.anAudience(promocode, fileOf(customers(5)));

      expect(await world.run(audienceId)).toBe("refused");

      expect(await world.find(audienceId)).toMatchObject({
        status: "failed",
        failure: { code: "promotion-not-active" },
        result: null,
      });
      expect(await world.holders(promocode)).toEqual([]);
    });
  });

  describe("in a preview", () => {
    it("is compared with the pool, and nothing is written to it", async () => {
      const promocode = await world.aPromocode(someCodes(60));
      const first = await world.anAudience(promocode, fileOf(customers(50)));
      await world.run(first);
      const before = await world.holders(promocode);
      const previewed = await world.anAudience(promocode, fileOf(customers(1_200)), { mode: "preview" });

      await world.run(previewed);

      const audience = await world.find(previewed);
      expect(audience).toMatchObject({ status: "succeeded", result: null, failure: null });
      // No stream feeds the counts here: what was given out is not subtracted from `free`.
      expect(audience.preview).toEqual({
        customers: 1_200,
        held: 50,
        free: 60,
        missing: 1_090,
        sentence: "needs 1,200 codes, 50 already hold one, 60 free: short by 1,090",
      });
      expect(await world.holders(promocode)).toEqual(before);
    });

    it("finds holders who were placed past their homes", async () => {
      const promocode = await world.aPromocode(someCodes(60));
      await world.run(await world.anAudience(promocode, fileOf(customers(60))));
      const previewed = await world.anAudience(promocode, fileOf(customers(80)), { mode: "preview" });

      await world.run(previewed);

      expect((await world.find(previewed)).preview).toMatchObject({ customers: 80, held: 60 });
    });

    it("of a Varying promocode needs a code for every customer but those of the same occurrence", async () => {
      const promocode = await world.aPromocode(someCodes(200), { allocationMethod: "Varying" });
      await world.run(await world.anAudience(promocode, fileOf(customers(50)), { occurenceId: "send-1" }));
      const other = await world.anAudience(promocode, fileOf(customers(50)), { mode: "preview" });
      const same = await world.anAudience(promocode, fileOf(customers(50)), {
        mode: "preview",
        occurenceId: "send-1",
      });

      await world.run(other);
      await world.run(same);

      expect((await world.find(other)).preview).toMatchObject({ held: 0, missing: 0 });
      expect((await world.find(same)).preview).toMatchObject({ held: 50 });
    });
  });

  describe("that is dropped", () => {
    it("is allocated once, however often the event comes", async () => {
      const promocode = await world.aPromocode(someCodes(50));
      const object = await world.put(
        `audiences/${promocode.promocodeId}/vip list.csv`,
        fileOf(customers(20)),
      );

      expect(await world.deliver(world.eventOf(object))).toBe(true);
      expect(await world.deliver(world.eventOf(object))).toBe(true);

      expect(await world.holders(promocode)).toHaveLength(20);
    });

    it("for no known promocode, or by a name of no audience, is left alone", async () => {
      const unknown = await world.put("audiences/pcd_unknown/a.csv", "ada\n");
      const stray = await world.put("audiences/stray.csv", "ada\n");

      expect(await world.deliver(world.eventOf(unknown))).toBe(true);
      expect(await world.deliver(world.eventOf(stray))).toBe(true);
      expect(await world.deliver({ Event: "s3:TestEvent" })).toBe(true);
    });
  });

  it.each([
    ["empty-file", ""],
    ["no-valid-customers", "customerId\n"],
    ["ambiguous-columns", "ada,bob\n"],
    ["ambiguous-columns", "customerId,customer number\n1,2\n"],
    ["unsupported-encoding", Buffer.from("customerId\nada\n", "utf16le")],
    ["unterminated-quote", 'customerId\n"ada\n'],
  ])("with a file that is no audience fails: %s", async (code, content) => {
    const promocode = await world.aPromocode(someCodes(10));
    const audienceId = await world.anAudience(promocode, content);

    expect(await world.run(audienceId)).toBe("refused");

    expect(await world.find(audienceId)).toMatchObject({ status: "failed", failure: { code }, result: null });
  });

  it("lists every rejected row in an object of its own when there are many", async () => {
    const promocode = await world.aPromocode(someCodes(10));
    const bad = Array.from({ length: 30 }, (_, at) => `bad\t${at}`);
    const audienceId = await world.anAudience(promocode, fileOf(["ada", ...bad]));

    await world.run(audienceId);

    expect(await world.find(audienceId)).toMatchObject({ rows: { customers: 1, rejected: 30 } });
    expect((await world.rejectsOf(audienceId)).trimEnd().split("\n")).toHaveLength(31);
  });

  it("logs one line for each message: the audience, what became of it, counts; no customer", async () => {
    const promocode = await world.aPromocode(someCodes(10));
    const { promocodeId } = promocode;
    const audienceId = await world.anAudience(promocode, fileOf(["ada", "bob"]));
    const previewId = await world.anAudience(promocode, fileOf(["ada", "eve"]), { mode: "preview" });
    const badId = await world.anAudience(promocode, "ada,bob\n");

    const lines = await jobLinesOf(async () => {
      for (const id of [audienceId, audienceId, previewId, badId]) await world.deliver({ audienceId: id });
    });

    const common = { message: "worked", job: "allocate-audience", messageId: "m", receives: 1 };
    const begun = { ...common, promocodeId, mode: "allocate", attempt: 1 };
    expect(lines).toEqual([
      {
        ...begun,
        audienceId,
        outcome: "done",
        customers: 2,
        pool: 2,
        repeated: 0,
        default: 0,
        refused: 0,
        failure: undefined,
      },
      { ...common, audienceId, outcome: "nothing to do" },
      {
        ...begun,
        mode: "preview",
        audienceId: previewId,
        outcome: "done",
        customers: 2,
        held: 1,
        // The counts are a second late.
        free: expect.any(Number),
        missing: expect.any(Number),
      },
      { ...begun, audienceId: badId, outcome: "refused", failure: "ambiguous-columns", rejected: 0 },
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/ada|bob|eve/);
  });
});
