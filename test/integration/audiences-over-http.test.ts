import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalService, startLocalService } from "../../local/local-service.ts";
import type { Allocation } from "../../shared/contract/allocations.ts";
import { type Audience, audienceColumns } from "../../shared/contract/audiences.ts";
import type { Problem } from "../../shared/contract/problems.ts";
import type { Promocode } from "../../shared/contract/promocodes.ts";
import { customers, someCodes } from "../support/codes.ts";
import { inParallel } from "../support/in-parallel.ts";
import { ServiceClient } from "../support/service-client.ts";

/** A row of a result, by the names of its columns. */
type Row = Readonly<Record<(typeof audienceColumns)[number], string>>;

/** The built bundles, behind the gateway of the synthesized template, on the real engine: what a user has. */
describe("a whole audience, over HTTP", { timeout: 240_000 }, () => {
  let directory: string;
  let service: LocalService;
  let client: ServiceClient;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "codewell-audiences-"));
    service = await startLocalService({ directory, port: 0 });
    client = new ServiceClient(service.endpoints);
  }, 120_000);
  afterAll(async () => {
    await service.close();
    await rm(directory, { recursive: true, force: true });
  });

  const csv = (rows: readonly string[]) => `${rows.join("\n")}\n`;
  const aPool = async (
    codes: number,
    uniqueCodes?: Parameters<ServiceClient["promocode"]>[0],
  ): Promise<Promocode> => {
    const promocode = await client.promocode(uniqueCodes);
    await refill(promocode, someCodes(codes), 1);
    return promocode;
  };
  const refill = async ({ promocodeId }: Promocode, codes: readonly string[], files: number) => {
    await client.upload(promocodeId, csv(codes));
    await client.loadedFiles(promocodeId, files);
  };
  /** The rows of the result. No value of these tests holds a comma. */
  const resultOf = async ({ downloadUrl = "" }: Audience): Promise<readonly Row[]> => {
    const download = await fetch(downloadUrl);
    const [header, ...lines] = (await download.text()).trimEnd().split("\n");
    expect(download.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(header).toBe(audienceColumns.join(","));
    return lines.map(
      (line) =>
        Object.fromEntries(line.split(",").map((cell, at) => [audienceColumns[at] ?? "", cell])) as Row,
    );
  };
  const codeByCustomer = (rows: readonly Pick<Row, "customerId" | "uniqueCode">[]) =>
    new Map(rows.map(({ customerId, uniqueCode }) => [customerId, uniqueCode]));
  const from = (source: string, rows: readonly Row[]) => rows.filter((row) => row.source === source);
  const logOf = async (name: string): Promise<string> => {
    const logs = await readdir(service.logDirectory);
    const texts = logs
      .filter((file) => file.startsWith(name))
      .map((file) => readFile(join(service.logDirectory, file), "utf8"));
    return (await Promise.all(texts)).join("");
  };
  /** The job's log, once it tells this about that. */
  const untilLogged = async (about: string, what: RegExp): Promise<string> => {
    for (let tries = 0; tries < 600; tries += 1) {
      const log = await logOf("AllocatingFunction");
      if (log.includes(about) && what.test(log)) return log;
      await sleep(100);
    }
    throw new Error(`the log tells nothing of ${what} about ${about}`);
  };

  it("gets a code each, the one that a single call gives, before and after", async () => {
    const promocode = await aPool(900);
    const { promocodeId, promotionId } = promocode;
    const all = customers(600, "reader");
    const early = new Map<string, string>();
    for (const customerId of all.slice(0, 20))
      early.set(customerId, (await client.allocate(promocodeId, { customerId })).body.uniqueCode);
    const file = csv([
      "name;customerId",
      ...all.map((customerId) => `"Some; one";${customerId}`),
      `x;${all[0]}`,
    ]);

    const audience = await client.audience(promocodeId, file, {
      occurenceId: "autumn send",
      seriesId: "newsletter",
      actionId: "mail",
    });
    const rows = await resultOf(audience);
    const singles = await inParallel(all, (customerId) => client.allocate(promocodeId, { customerId }));

    expect(audience).toMatchObject({
      status: "succeeded",
      source: "upload",
      progress: { done: 600, total: 600 },
      rows: { read: 601, customers: 600, repeatedInFile: 1, rejected: 0 },
      summary: { pool: 580, repeated: 20, default: 0, refused: 0 },
      problems: [],
    });
    const held = codeByCustomer(rows);
    expect([...held.keys()].sort()).toEqual([...all].sort());
    expect(rows).toHaveLength(600);
    expect(new Set(held.values()).size).toBe(600);
    expect(codeByCustomer(singles.map(({ body }) => body))).toEqual(held);
    expect(singles.every(({ body, status }) => status === 200 && body.repeated)).toBe(true);
    for (const [customerId, code] of early) expect(held.get(customerId)).toBe(code);
    const [file1] = await client.loadedFiles(promocodeId, 1);
    const row = rows.find(({ customerId }) => customerId === all[100]);
    expect(row).toEqual({
      customerId: all[100],
      promocodeId,
      promotionId,
      fileId: file1?.fileId,
      uniqueCode: held.get(all[100] ?? ""),
      timestamp: audience.startedAt,
      occurenceId: "autumn send",
      seriesId: "newsletter",
      actionId: "mail",
      source: "pool",
    });
    // What was handed out before tells its own occasion.
    expect(rows.find(({ customerId }) => customerId === all[0])).toMatchObject({
      occurenceId: "",
      source: "repeated",
    });
    expect(
      from("repeated", rows)
        .map(({ customerId }) => customerId)
        .sort(),
    ).toEqual([...early.keys()].sort());
    const { text } = await client.exportOf(`/v1/promocodes/${promocodeId}/exports`);
    const exported = text.trimEnd().split("\n").slice(1).sort();
    expect(exported).toEqual(
      rows
        .map((each) =>
          audienceColumns
            .slice(0, -1)
            .map((column) => each[column])
            .join(","),
        )
        .sort(),
    );
  });

  it("is found in its promocode's list when it was dropped, and dropped again gives nobody a second code", async () => {
    const { promocodeId } = await aPool(100);
    const all = customers(60, "dropped");
    const key = `audiences/${promocodeId}/März 2026+1.csv`;

    await client.put(key, csv(all));
    const [first] = await client.finishedAudiences(promocodeId, 1);
    await client.put(key, csv(all));
    // Objects have whole seconds: two drops within one are in no order.
    const second = (await client.finishedAudiences(promocodeId, 2)).find(
      ({ audienceId }) => audienceId !== first?.audienceId,
    );

    expect(first).toMatchObject({
      fileName: "März 2026+1.csv",
      source: "drop",
      mode: "allocate",
      occurenceId: null,
      seriesId: null,
      actionId: null,
      status: "succeeded",
      summary: { pool: 60, repeated: 0, default: 0, refused: 0 },
    });
    expect(second).toMatchObject({ summary: { pool: 0, repeated: 60, default: 0, refused: 0 } });
    expect(codeByCustomer(await resultOf(second as Audience))).toEqual(
      codeByCustomer(await resultOf(first as Audience)),
    );
  });

  it("is previewed: told what it needs, and nothing is given out", async () => {
    const promocode = await aPool(40, { onExhausted: "refuse" });
    const { promocodeId } = promocode;
    const all = customers(50, "maybe");
    for (const customerId of all.slice(0, 5)) await client.allocate(promocodeId, { customerId });
    // What is free comes from the pool's counts, which are a second or two late.
    await client.until<{ pool: { allocated: number } }>(
      `/v1/promocodes/${promocodeId}`,
      ({ pool }) => pool.allocated === 5,
    );

    const audience = await client.audience(promocodeId, csv(all), { mode: "preview" });
    const { text } = await client.exportOf(`/v1/promocodes/${promocodeId}/exports`);

    expect(audience).toMatchObject({
      status: "succeeded",
      progress: { done: 50, total: 50 },
      summary: { pool: 0, repeated: 0, default: 0, refused: 0 },
      preview: { customers: 50, held: 5, free: 35, missing: 10 },
    });
    expect(audience.preview?.sentence).toBe("needs 50 codes, 5 already hold one, 35 free: short by 10");
    expect(audience).not.toHaveProperty("downloadUrl");
    expect(text.trimEnd().split("\n")).toHaveLength(1 + 5);
  });

  it("gets default codes when the pool runs dry, and real ones when it comes again after a refill", async () => {
    const promocode = await aPool(30);
    const { promocodeId } = promocode;
    const all = customers(50, "hopeful");

    const dry = await client.audience(promocodeId, csv(all));
    const dryRows = await resultOf(dry);
    await refill(promocode, someCodes(40, "MORE"), 2);
    const refilled = await client.audience(promocodeId, csv(all));
    const rows = await resultOf(refilled);

    expect(dry.summary).toEqual({ pool: 30, repeated: 0, default: 20, refused: 0 });
    expect(from("default", dryRows)).toHaveLength(20);
    for (const row of from("default", dryRows))
      expect(row).toMatchObject({ uniqueCode: "DEFAULT", fileId: "", promocodeId });
    expect(refilled.summary).toEqual({ pool: 20, repeated: 30, default: 0, refused: 0 });
    expect(from("repeated", rows)).toHaveLength(30);
    expect(new Set(rows.map(({ uniqueCode }) => uniqueCode)).size).toBe(50);
    for (const { customerId, uniqueCode } of from("pool", dryRows))
      expect(codeByCustomer(rows).get(customerId)).toBe(uniqueCode);
    const { body } = await client.call<Problem | Promocode>("GET", `/v1/promocodes/${promocodeId}`);
    expect(body).toMatchObject({ promocodeId });
    await client.until<Promocode>(
      `/v1/promocodes/${promocodeId}`,
      ({ pool }) => pool?.allocated === 50 && pool.defaultsGiven === 20,
    );
  });

  it("says row by row who got nothing when a dry pool is set to refuse", async () => {
    const { promocodeId } = await aPool(10, { onExhausted: "refuse" });
    const all = customers(25, "unlucky");

    const audience = await client.audience(promocodeId, csv(all));
    const rows = await resultOf(audience);

    expect(audience).toMatchObject({
      status: "succeeded",
      summary: { pool: 10, repeated: 0, default: 0, refused: 15 },
    });
    expect(from("pool", rows)).toHaveLength(10);
    expect(from("refused", rows)).toHaveLength(15);
    for (const row of from("refused", rows))
      expect(row).toMatchObject({ uniqueCode: "", fileId: "", promocodeId });
  });

  it("is one job for all tries with the same Idempotency-Key, and the first upload counts", async () => {
    const { promocodeId } = await aPool(20);
    const headers = { "Idempotency-Key": "the autumn audience" };
    const [one, again] = [
      await client.announceAudience(promocodeId, {}, headers),
      await client.announceAudience(promocodeId, {}, headers),
    ];

    await client.send(one.upload, csv(["ada", "bob"]));
    await client.send(again.upload, csv(["cem", "dora", "eve"]));
    await untilLogged(one.audience.audienceId, /A later upload of the same audience is ignored/);
    const [audience] = await client.finishedAudiences(promocodeId, 1);

    expect(again.audience.audienceId).toBe(one.audience.audienceId);
    expect(audience?.rows.customers).toBe(2);
    const late = await client.allocate(promocodeId, { customerId: "cem" });
    expect(late.body.repeated).toBe(false);
  });

  it("gets, under Varying, one code for each occasion, and the same when the occasion comes again", async () => {
    const { promocodeId } = await aPool(40, { allocationMethod: "Varying" });
    const file = csv(customers(10, "regular"));
    const send = (occurenceId: string) => client.audience(promocodeId, file, { occurenceId });

    const [monday, tuesday, mondayAgain] = [
      await send("monday"),
      await send("tuesday"),
      await send("monday"),
    ];
    const single = await client.allocate(promocodeId, { customerId: "regular-3", occurenceId: "monday" });

    expect([monday, tuesday, mondayAgain].map(({ summary }) => [summary.pool, summary.repeated])).toEqual([
      [10, 0],
      [10, 0],
      [0, 10],
    ]);
    const held = codeByCustomer(await resultOf(monday));
    expect(codeByCustomer(await resultOf(mondayAgain))).toEqual(held);
    expect(single.body).toMatchObject({ repeated: true, uniqueCode: held.get("regular-3") });
  });

  it("tells its rejected rows, and where all of them are when there are more than 20", async () => {
    const { promocodeId } = await aPool(20);
    const tooLong = "x".repeat(129);
    const few = await client.audience(promocodeId, csv(["ada", tooLong]));
    const many = await client.audience(
      promocodeId,
      csv(["bob", ...Array.from({ length: 30 }, (_, at) => `${tooLong}${at}`)]),
    );

    const rejects = await fetch(many.rejectsUrl ?? "");

    expect(few).toMatchObject({
      status: "succeeded",
      rows: { read: 2, customers: 1, repeatedInFile: 0, rejected: 1 },
      problems: [{ line: 2, reason: "is longer than 128 characters" }],
    });
    expect(few).not.toHaveProperty("rejectsUrl");
    expect(many.rows).toEqual({ read: 31, customers: 1, repeatedInFile: 0, rejected: 30 });
    expect(many.problems).toHaveLength(20);
    expect((await rejects.text()).trimEnd().split("\n")).toHaveLength(1 + 30);
  });

  it.each([
    ["an empty file", "a.csv", "", "empty-file"],
    ["a name that does not end with .csv", "a.txt", "ada\n", "not-a-csv-file"],
    ["columns of which none is named", "a.csv", "ada,bob\ncem,dora\n", "ambiguous-columns"],
  ])("says what is wrong with %s on its record", async (_, name, content, code) => {
    const { promocodeId } = await client.promocode();
    await client.put(`audiences/${promocodeId}/${name}`, content);

    const [audience] = await client.finishedAudiences(promocodeId, 1);

    expect(audience).toMatchObject({ fileName: name, status: "failed", failure: { code } });
    expect(audience?.failure?.message).toMatch(/\.$/);
  });

  it("gets nothing of a promotion that gives out no codes, announced or dropped", async () => {
    const { promocodeId, promotionId } = await aPool(10);
    await client.call("DELETE", `/v1/promotions/${promotionId}`);

    const path = `/v1/promocodes/${promocodeId}/audiences`;
    const announced = await client.call<Problem>("POST", path, { fileName: "a.csv" });
    await client.put(`audiences/${promocodeId}/a.csv`, "ada\n");
    const [dropped] = await client.finishedAudiences(promocodeId, 1);
    const { body } = await client.call<{ items: Allocation[] }>("GET", "/v1/customers/ada/allocations");

    expect(announced).toMatchObject({ status: 409, body: { code: "promotion-archived" } });
    expect(dropped).toMatchObject({ status: "failed", failure: { code: "promotion-not-active" } });
    expect(body.items.filter((held) => held.promocodeId === promocodeId)).toEqual([]);
  });

  it("gets nothing of a global promocode, announced or dropped", async () => {
    const { promotionId } = await client.promocode();
    const { body: promocode } = await client.call<Promocode>("POST", "/v1/promocodes", {
      promotionId,
      type: "global",
      code: "AUTUMN",
    });
    const path = `/v1/promocodes/${promocode.promocodeId}/audiences`;

    const announced = await client.call<Problem>("POST", path, { fileName: "a.csv" });
    await client.put(`audiences/${promocode.promocodeId}/a.csv`, "ada\n");
    const [dropped] = await client.finishedAudiences(promocode.promocodeId, 1);

    expect(announced).toMatchObject({ status: 409, body: { code: "not-personalized" } });
    expect(dropped).toMatchObject({ status: "failed", failure: { code: "not-personalized" } });
  });

  it("that is dropped for an unknown promocode is logged and counted, and nobody's", async () => {
    await client.put("audiences/pcd_nobody/a.csv", "ada\n");

    const log = await untilLogged("pcd_nobody", /"UnclaimedObjects":1/);

    expect(log).toMatch(/"level":"ERROR".*unknown promocode.*pcd_nobody/);
  });

  it("leaves no customer's id in any log", async () => {
    const { promocodeId } = await aPool(5, { onExhausted: "refuse" });
    const all = customers(8, "nameless-one");
    const good = await client.audience(promocodeId, csv(all));
    await client.audience(promocodeId, csv(["a,b", ...all]));
    await client.call("GET", `/v1/promocodes/${promocodeId}/audiences`);

    expect(good.summary).toMatchObject({ pool: 5, refused: 3 });
    const logs = await logOf("");
    expect(logs).toContain(good.audienceId);
    expect(logs).not.toContain("nameless-one");
  });
});
