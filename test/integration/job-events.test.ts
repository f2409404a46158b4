import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { startDynoxide } from "../../local/dynamodb/engine.ts";
import { anAudienceWorld } from "./audience-world.ts";
import { aLoaderWorld, numbered } from "./loader-world.ts";

const quiet = async () => {
  const { logger } = await import("../../shared/http/logger.ts");
  vi.spyOn(logger, "error").mockImplementation(() => {});
};

describe("what becomes of a code file", { timeout: 60_000 }, () => {
  let engine: DynamoDbEngine;
  let world: Awaited<ReturnType<typeof aLoaderWorld>>;
  beforeAll(async () => {
    engine = await startDynoxide();
    world = await aLoaderWorld(engine);
    await quiet();
  });
  beforeEach(() => {
    world.bus.told();
    world.bus.isDown = false;
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });
  const told = () => world.bus.told().map(({ "detail-type": name, detail }) => [name, detail] as const);
  const names = () => told().map(([name]) => name);
  /** A run that Lambda's clock ends before it has written anything. */
  const broken = () => 0;

  it("is told when it is in the pool, once, however often its event comes", async () => {
    const promocode = await world.aPromocode();
    const { object, event } = await world.drop(promocode, "A1\nA1\nB2\nnot a code\n");

    for (let times = 0; times < 10; times += 1) await world.deliver(event);

    const { fileId, loadedAt } = await world.fileOf(promocode, object);
    expect(told()).toEqual([
      [
        "CodeFileLoaded",
        {
          version: 1,
          eventId: `CodeFileLoaded/${fileId}`,
          occurredAt: loadedAt,
          message: `File ${fileId} brought 2 codes into promocode ${promocode.promocodeId}.`,
          promocodeId: promocode.promocodeId,
          fileId,
          source: "drop",
          codes: 2,
          duplicatesInFile: 1,
          duplicatesInPool: 0,
          rejected: 1,
        },
      ],
    ]);
  });

  it("is told when it is refused, and nothing that stands in it", async () => {
    const promocode = await world.aPromocode();
    const file = await world.load(promocode, "SECRET-1,SECRET-2\nSECRET-3,SECRET-4\n", "ada.csv");

    const events = told();

    expect(events).toMatchObject([
      ["CodeFileFailed", { fileId: file.fileId, failureCode: "ambiguous-columns", source: "drop" }],
    ]);
    expect(JSON.stringify(events)).not.toMatch(/SECRET|ada/);
  });

  it("is told by the next delivery when the bus was down: the file is not loaded again", async () => {
    const promocode = await world.aPromocode();
    const { object, event } = await world.drop(promocode, "A1\n");
    world.bus.isDown = true;

    const first = await world.deliver(event);
    const loaded = await world.fileOf(promocode, object);
    world.bus.isDown = false;
    const second = await world.deliver(event);

    expect([first, second]).toEqual([false, true]);
    expect(loaded.status).toBe("ready");
    expect(await world.fileOf(promocode, object)).toEqual({ ...loaded, told: "CodeFileLoaded" });
    expect(names()).toEqual(["CodeFileLoaded"]);
  });

  it("is told by the next delivery when the run died after it was published", async () => {
    const promocode = await world.aPromocode();
    const { loadCodeFile } = await import("../../functions/load-code-file/load-code-file.ts");
    const { receiveObject } = await import("../../functions/load-code-file/receive-object.ts");
    const { objectsCreatedSchema } = await import("../../shared/queues/object-created.ts");
    const { event } = await world.drop(promocode, "A1\n");
    const [record] = objectsCreatedSchema.parse(event).Records;
    const file = await receiveObject(record!);
    await loadCodeFile(
      { promocodeId: promocode.promocodeId, fileId: file!.fileId, waits: 0 },
      { isLast: false, triesAreOver: false, timeLeftMs: () => 900_000 },
    );
    expect(names()).toEqual([]);

    await world.deliver(event);

    expect(names()).toEqual(["CodeFileLoaded"]);
  });

  it("is told once when the service fails it, then the dead letter; and when a redrive loads it", async () => {
    const promocode = await world.aPromocode();
    const { event } = await world.drop(promocode, numbered(100).join("\n"));

    for (const receives of [1, 2, 3, 4]) await world.deliver(event, { receives, timeLeftMs: broken });
    expect(names()).toEqual([]);
    await world.deliver(event, { receives: 5, timeLeftMs: broken });
    expect(told()).toMatchObject([["CodeFileFailed", { failureCode: "load-failed" }]]);
    await world.deliver(event, { receives: 6 });
    expect(told()).toMatchObject([["DeadLetter", { messageId: "m", deliveries: 6, queue: "unknown" }]]);
    await world.deliver(event);
    expect(names()).toEqual(["CodeFileLoaded"]);
  });

  it("and cannot be told as the service fails it is told by the delivery after it", async () => {
    const promocode = await world.aPromocode();
    const { event } = await world.drop(promocode, numbered(100).join("\n"));
    world.bus.isDown = true;

    await world.deliver(event, { receives: 5, timeLeftMs: broken });
    world.bus.isDown = false;
    await world.deliver(event, { receives: 6 });

    expect(names()).toEqual(["CodeFileFailed", "DeadLetter"]);
  });
});

describe("what becomes of an audience", { timeout: 60_000 }, () => {
  let engine: DynamoDbEngine;
  let world: Awaited<ReturnType<typeof anAudienceWorld>>;
  beforeAll(async () => {
    engine = await startDynoxide();
    world = await anAudienceWorld(engine);
    await quiet();
  });
  beforeEach(() => {
    world.bus.told();
    world.bus.isDown = false;
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });
  const told = () => world.bus.told().map(({ "detail-type": name, detail }) => [name, detail] as const);

  it("is told once, with what its customers got and nobody's name", async () => {
    const promocode = await world.aPromocode(["A1", "B2"]);
    const audienceId = await world.anAudience(promocode, "customerId\nada\nbob\ncem\n");

    await world.deliver({ audienceId });
    await world.deliver({ audienceId });

    const events = told();
    expect(events).toMatchObject([
      [
        "AudienceReady",
        {
          eventId: `AudienceReady/${audienceId}`,
          promotionId: promocode.promotionId,
          mode: "allocate",
          customers: 3,
          summary: { pool: 2, repeated: 0, default: 1, refused: 0 },
          missing: null,
        },
      ],
    ]);
    expect(JSON.stringify(events)).not.toMatch(/ada|bob|cem|A1|B2/);
  });

  it("is told of a preview with what is missing", async () => {
    const promocode = await world.aPromocode(["A1", "B2"]);
    const audienceId = await world.anAudience(promocode, "customerId\nada\nbob\ncem\n", { mode: "preview" });

    await world.deliver({ audienceId });

    expect(told()).toMatchObject([["AudienceReady", { mode: "preview", customers: 3, missing: 1 }]]);
  });

  it("is told when it fails, after the bus was down too", async () => {
    const promocode = await world.aPromocode(["A1"], {}, await world.aPromotion("draft"));
    const audienceId = await world.anAudience(promocode, "customerId\nada\n");
    world.bus.isDown = true;

    const first = await world.deliver({ audienceId });
    world.bus.isDown = false;
    const second = await world.deliver({ audienceId });

    expect([first, second]).toEqual([false, true]);
    expect(told()).toMatchObject([
      ["AudienceFailed", { failureCode: "promotion-not-active", summary: { pool: 0 } }],
    ]);
  });
});
