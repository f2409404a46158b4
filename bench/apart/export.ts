import { handler } from "../../functions/build-export/handler.ts";
import { dynamoDb } from "../../shared/storage/client.ts";
import { measureTask } from "../lib/measure-task.ts";
import { meter } from "../lib/meter.ts";

export interface ExportTask {
  readonly exportId: string;
}

export interface Exported {
  readonly readUnits: number;
  readonly calls: number;
}

/** The function that builds exports, given one that is queued: nothing of it is replaced. */
measureTask(async ({ exportId }: ExportTask): Promise<Exported> => {
  const consumed = meter(dynamoDb);
  const body = JSON.stringify({ exportId });
  const { batchItemFailures } = await handler(
    { Records: [{ messageId: "bench", body, attributes: { ApproximateReceiveCount: "1" } }] },
    // However slow the machine: what a time limit adds is not measured here.
    { getRemainingTimeInMillis: () => Number.MAX_SAFE_INTEGER },
  );
  if (batchItemFailures.length > 0) throw new Error("The exporter failed; its log tells why.");
  return { readUnits: consumed.readUnits, calls: consumed.readCalls + consumed.writeCalls };
});
