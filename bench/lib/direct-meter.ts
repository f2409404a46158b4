import { type AnsweredRequest, observeDirectRequests } from "../../shared/storage/direct-request.ts";
import { type AnyWrite, refusedWriteUnits } from "./meter.ts";

/** What the requests cost that the jobs make without the SDK. Its figures grow until it is stopped. */
export interface DirectMeter {
  /** As the engine reports them; of refused writes, by DynamoDB's rule. */
  readonly writeUnits: number;
  readonly writeCalls: number;
  readonly refused: number;
  /** When the first one was answered, by `performance.now()`. */
  readonly firstAt: number | undefined;
  stop(): void;
}

export const meterDirectRequests = (): DirectMeter => {
  const counted = { writeUnits: 0, writeCalls: 0, refused: 0, firstAt: undefined as number | undefined };
  const stop = observeDirectRequests((request) => {
    counted.firstAt ??= performance.now();
    counted.writeCalls += 1;
    counted.writeUnits += reportedUnits(request);
    if (!isRefused(request)) return;
    counted.refused += 1;
    counted.writeUnits += refusedWriteUnits(request.input as AnyWrite, request.body.Item ?? {});
  });
  return Object.assign(counted, { stop });
};

const reportedUnits = ({ body: { ConsumedCapacity } }: AnsweredRequest): number =>
  [ConsumedCapacity ?? []].flat().reduce((units, { CapacityUnits = 0 }) => units + CapacityUnits, 0);

const isRefused = ({ body: { __type } }: AnsweredRequest): boolean =>
  __type?.endsWith("ConditionalCheckFailedException") === true;
