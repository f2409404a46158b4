import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Erasure } from "../../shared/contract/erasures.ts";
import type { Export } from "../../shared/contract/exports.ts";
import { callApi } from "../support/api-call.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { startTestBus, type TestBus } from "../support/event-bus.ts";
import { type ExportsBucket, startExportsBucket } from "../support/exports-bucket.ts";
import { inParallel } from "../support/in-parallel.ts";
import { fault } from "./fault.ts";
import { type AllocatingProcess, aFaultWorld, type FaultWorld, type KnownPool } from "./fault-world.ts";
import { scanTable } from "./pool-truth.ts";
import { startProcess } from "./start-process.ts";
import { crashAfter, crashBefore, heldBack, isOperation, isTableWrite } from "./wire-faults.ts";

const delivery = { isLast: false, triesAreOver: false, timeLeftMs: () => 900_000 };

describe("erasing a person", () => {
  let engine: DynamoDbEngine;
  let world: FaultWorld;
  let bucket: ExportsBucket;
  let bus: TestBus;
  let healthy: AllocatingProcess;
  const sqs = mockClient(SQSClient);
  beforeAll(async () => {
    engine = await engines[0]!.start();
    bucket = await startExportsBucket(engine);
    bus = await startTestBus();
    process.env.ERASURES_QUEUE_URL = "https://queues.test/erasures";
    process.env.EXPORTS_QUEUE_URL = "https://queues.test/exports";
    // What a queue would deliver, the tests deliver.
    sqs.on(SendMessageCommand).resolves({});
    world = await aFaultWorld(engine);
    healthy = await world.anAllocatingProcess();
  });
  afterAll(async () => {
    sqs.restore();
    await world.close();
    await bus.close();
    await bucket.close();
    await engine.close();
  });

  const anEraser = async (endpoint: string) => {
    const { handler, runErasure } = await startProcess(endpoint, async () => ({
      ...(await import("../../functions/erase-customer/handler.ts")),
      ...(await import("../../functions/run-erasure/run-erasure.ts")),
    }));
    const asked = async (customerId: string) =>
      (await callApi<Erasure>(handler, "eraseCustomer", { path: { customerId } })).body.erasureId;
    /** As its messages come, one after the other; calls have ended at once. */
    const run = async (erasureId: string) => {
      for (let messages = 0; messages < 20; messages += 1) {
        const { outcome } = await runErasure(erasureId, { ...delivery, callsEndWithinMs: 0 });
        if (outcome === "succeeded" || outcome === "nothing to do") return;
      }
      throw new Error(`the erasure ${erasureId} does not end`);
    };
    return { asked, run };
  };

  const anExporter = async (endpoint: string) => {
    const { ask, build } = await startProcess(endpoint, async () => ({
      ask: (await import("../../functions/export-promocode/handler.ts")).handler,
      build: (await import("../../functions/build-export/handler.ts")).handler,
    }));
    const s3 = new S3Client({
      endpoint: process.env.AWS_ENDPOINT_URL_S3 ?? "",
      region: engine.region,
      credentials: { ...engine.credentials },
      forcePathStyle: true,
    });
    /** The export's file, and its rows by code. */
    return async ({ promocodeId }: KnownPool) => {
      const asked = await callApi<Export>(ask, "exportPromocode", { path: { promocodeId }, body: {} });
      const { exportId } = asked.body;
      const message = { messageId: "m", body: JSON.stringify({ exportId }) };
      const { batchItemFailures } = await build(
        { Records: [{ ...message, attributes: { ApproximateReceiveCount: "1" } }] },
        { getRemainingTimeInMillis: () => 900_000 },
      );
      expect(batchItemFailures).toEqual([]);
      const { Body } = await s3.send(
        new GetObjectCommand({ Bucket: "exports", Key: `exports/${exportId}/1.csv` }),
      );
      return (await Body?.transformToString()) ?? "";
    };
  };
  const itemsThatName = async (customerId: string) =>
    (await scanTable(world.table)).filter((item) => JSON.stringify(item).includes(customerId));

  fault("a customer is erased during an export", async ({ count, proved }) => {
    for (const [round, after] of [1, 4, 8].entries()) {
      const person = `person-${round}`;
      const pool = await world.aPool(someCodes(120));
      await inParallel([person, ...customers(60)], (customerId) => healthy.allocate(pool, { customerId }));
      const wire = await world.aWire();
      const exportOf = await anExporter(wire.endpoint);
      const eraser = await anEraser(engine.endpoint);
      const held = heldBack();
      // Shard by shard an export reads; it stops before this one while the person is erased.
      count(wire.inject(held.fault, { matches: isOperation("Query"), after, times: 1 }));

      const exporting = exportOf(pool);
      await Promise.race([held.arrived, exporting]);
      await eraser.run(await eraser.asked(person));
      held.release();
      const during = await exporting;
      const afterwards = await exportOf(pool);

      const rows = during.trimEnd().split("\n").slice(1);
      expect(rows).toHaveLength(61);
      // Read before, or after: with the id or without, but one row and the same code.
      const anonymous = during.replace(`\n${person},`, "\n,");
      const { given } = await world.prove(pool, { exported: anonymous });
      expect(given).toHaveLength(61);
      expect(afterwards).not.toContain(person);
      await world.prove(pool, { exported: afterwards });
      expect(await itemsThatName(person)).toEqual([]);
    }
    proved("each code stays used and has its one row, the next export and the table do not know the person");
  });

  fault("the erasure crashes before and after each of its writes", async ({ count, proved }) => {
    const pool = await world.aPool(someCodes(120));
    await inParallel(customers(70), (customerId) => healthy.allocate(pool, { customerId }));
    let persons = 0;
    for (const crash of [crashBefore, crashAfter])
      for (let after = 0; ; after += 1) {
        const person = `${crash.name}-${after}-person`;
        await healthy.allocate(pool, { customerId: person });
        persons += 1;
        const wire = await world.aWire();
        const dying = await anEraser(wire.endpoint);
        const eraser = await anEraser(engine.endpoint);
        const erasureId = await eraser.asked(person);
        const injection = wire.inject(crash, { matches: isTableWrite, after, times: 1 });
        await Promise.race([wire.crashed, dying.run(erasureId)]).catch(() => {});

        await eraser.run(erasureId);

        expect(await itemsThatName(person)).toEqual([]);
        if (injection.injected === 0) break;
        count(injection);
      }
    const { given } = await world.prove(pool);
    expect(given).toHaveLength(70 + persons);
    expect(given.filter(({ customerId }) => customerId === "")).toHaveLength(persons);
    proved(
      "run again it ends: nothing in the table names the person, their codes stay used, others keep theirs",
    );
  });
});
