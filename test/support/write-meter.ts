import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

const writes = new Set([
  "PutItemCommand",
  "UpdateItemCommand",
  "DeleteItemCommand",
  "PutCommand",
  "UpdateCommand",
  "DeleteCommand",
  "BatchWriteCommand",
  "BatchWriteItemCommand",
]);

/**
 * Adds up the write units that the engine reports for this client's writes. A refused write costs what it would have
 * written, at least one unit, but its error tells no figure: it counts as one, the size of a cell.
 */
export const meterWrites = (
  client: DynamoDBDocumentClient,
): { units(): number; calls(): number; stop(): void } => {
  let units = 0;
  let calls = 0;
  client.middlewareStack.add(
    (next, context) => async (args) => {
      if (!writes.has(String(context.commandName))) return next(args);
      calls += 1;
      Object.assign(args.input, { ReturnConsumedCapacity: "TOTAL" });
      try {
        const result = await next(args);
        const { ConsumedCapacity } = result.output as { ConsumedCapacity?: unknown };
        for (const consumed of [ConsumedCapacity].flat())
          units += (consumed as { CapacityUnits?: number } | undefined)?.CapacityUnits ?? 0;
        return result;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) units += 1;
        throw error;
      }
    },
    { step: "initialize", name: "write-meter" },
  );
  return { units: () => units, calls: () => calls, stop: () => client.middlewareStack.remove("write-meter") };
};
