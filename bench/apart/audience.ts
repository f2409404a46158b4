import { allocateAudience } from "../../functions/allocate-audience/allocate-audience.ts";
import { dynamoDb } from "../../shared/storage/client.ts";
import { meterDirectRequests } from "../lib/direct-meter.ts";
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

/** The job that allocates to audiences, given one that is queued: nothing of it is replaced. */
measureTask(async ({ audienceId }: AudienceTask): Promise<AllocatedAudience> => {
  const consumed = meter(dynamoDb);
  const direct = meterDirectRequests();
  const { outcome } = await allocateAudience(audienceId, {
    isLast: false,
    triesAreOver: false,
    // However slow the machine: what going on in another run adds is not measured here.
    timeLeftMs: () => Number.MAX_SAFE_INTEGER,
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
