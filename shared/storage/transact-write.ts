import { setTimeout as sleep } from "node:timers/promises";
import { type CancellationReason, TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import { TransactWriteCommand, type TransactWriteCommandInput } from "@aws-sdk/lib-dynamodb";
import { dynamoDb } from "./client.ts";

/** Reasons that pass by themselves; the SDK does not try a cancelled transaction again. */
const passingReasons = new Set(["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]);
const tries = 6;
const firstPauseMs = 20;

/**
 * Writes all items or none. Answers undefined when they are written; when a condition did not hold, one reason per
 * item in their order, with the code `ConditionalCheckFailed` or `None`. Conflicts with other writes are tried again.
 */
export const transactWrite = async (
  items: NonNullable<TransactWriteCommandInput["TransactItems"]>,
): Promise<readonly CancellationReason[] | undefined> => {
  for (let failed = 0; ; ) {
    try {
      await dynamoDb.send(new TransactWriteCommand({ TransactItems: items }));
      return undefined;
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error;
      const reasons = error.CancellationReasons ?? [];
      if (reasons.some(conditionFailed)) return reasons;
      failed += 1;
      if (failed === tries || !reasons.some(({ Code }) => passingReasons.has(Code ?? ""))) throw error;
      await sleep(firstPauseMs * 2 ** failed * (0.5 + Math.random() / 2));
    }
  }
};

export const conditionFailed = (reason: CancellationReason | undefined): boolean =>
  reason?.Code === "ConditionalCheckFailed";
