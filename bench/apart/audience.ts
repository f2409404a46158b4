import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { allocateAudience } from "../../functions/allocate-audience/allocate-audience.ts";
import { dynamoDb } from "../../shared/storage/client.ts";
import type { ObservedWrite } from "../../shared/storage/direct-writes.ts";
import { itemBytes, valueBytes, writeUnitsOf } from "../lib/item-size.ts";
import { measureTask } from "../lib/measure-task.ts";
import { meter } from "../lib/meter.ts";

export interface AudienceTask {
  readonly audienceId: string;
}

export interface AllocatedAudience {
  readonly writeUnits: number;
  readonly writeCalls: number;
  readonly refused: number;
  readonly readUnits: number;
  readonly readCalls: number;
}

/** No engine reports what a refused write costs: DynamoDB charges the larger of the item there and the item to be. */
const refusedUnits = ({ item = {}, input }: ObservedWrite): number => {
  const values = Object.values((input.ExpressionAttributeValues ?? {}) as Record<string, AttributeValue>);
  return writeUnitsOf(values.reduce((bytes, value) => bytes + valueBytes(value), itemBytes(item)));
};

/** The job that allocates to audiences, given one that is queued: nothing of it is replaced. */
measureTask(async ({ audienceId }: AudienceTask): Promise<AllocatedAudience> => {
  const consumed = meter(dynamoDb);
  const direct = { writeUnits: 0, writeCalls: 0, refused: 0 };
  const onWrite = (write: ObservedWrite) => {
    direct.writeCalls += 1;
    direct.writeUnits += write.done ? write.writeUnits : refusedUnits(write);
    if (!write.done) direct.refused += 1;
  };
  const { outcome } = await allocateAudience(audienceId, {
    isLast: false,
    triesAreOver: false,
    // However slow the machine: what going on in another run adds is not measured here.
    timeLeftMs: () => Number.MAX_SAFE_INTEGER,
    observer: { onWrite },
  });
  if (outcome !== "done") throw new Error(`The job ended with "${outcome}"; its log tells why.`);
  return {
    writeUnits: direct.writeUnits + consumed.writeUnits,
    writeCalls: direct.writeCalls + consumed.writeCalls,
    refused: direct.refused + consumed.refused,
    readUnits: consumed.readUnits,
    readCalls: consumed.readCalls,
  };
});
