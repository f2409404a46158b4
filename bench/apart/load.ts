import { handler } from "../../functions/load-code-file/handler.ts";
import { dynamoDb } from "../../shared/storage/client.ts";
import { meterDirectRequests } from "../lib/direct-meter.ts";
import { firstCalls } from "../lib/first-calls.ts";
import { measureTask } from "../lib/measure-task.ts";
import { meter } from "../lib/meter.ts";

/** What the loader told the bench, beside what it took. */
export interface Loaded {
  readonly writeUnits: number;
  readonly readUnits: number;
  readonly calls: number;
  /** Parse, hash, sort, drop repeats; compare with the pool and cut; write the cells. */
  readonly readSeconds: number;
  readonly dropSeconds: number;
  readonly writeSeconds: number;
}

/** The function that loads code files, given the event of one dropped file: nothing of it is replaced. */
measureTask(async (event: object): Promise<Loaded> => {
  const consumed = meter(dynamoDb);
  const cells = meterDirectRequests();
  const moments = firstCalls(dynamoDb);
  const begun = performance.now();
  const body = JSON.stringify(event);
  const { batchItemFailures } = await handler(
    { Records: [{ messageId: "bench", body, attributes: { ApproximateReceiveCount: "1" } }] },
    // One run, however slow the machine: what a time limit adds is not measured here.
    { getRemainingTimeInMillis: () => Number.MAX_SAFE_INTEGER },
  );
  if (batchItemFailures.length > 0) throw new Error("The loader failed; its log tells why.");

  if (cells.firstAt === undefined) throw new Error("The loader wrote no cells.");
  const read = moments.at("QueryCommand");
  const write = cells.firstAt;
  const publish = moments.at("TransactWriteItemsCommand");
  return {
    writeUnits: consumed.writeUnits + cells.writeUnits,
    readUnits: consumed.readUnits,
    calls: consumed.writeCalls + consumed.readCalls + cells.writeCalls,
    readSeconds: (read - begun) / 1_000,
    dropSeconds: (write - read) / 1_000,
    writeSeconds: (publish - write) / 1_000,
  };
});
