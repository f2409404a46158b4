import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { type AnsweredRequest, observeDirectRequests } from "../../shared/storage/direct-request.ts";
import { itemBytes, valueBytes, writeUnitsOf } from "./item-size.ts";

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
    counted.writeUnits += refusedUnits(request);
  });
  return Object.assign(counted, { stop });
};

const reportedUnits = ({ body: { ConsumedCapacity } }: AnsweredRequest): number =>
  [ConsumedCapacity ?? []].flat().reduce((units, { CapacityUnits = 0 }) => units + CapacityUnits, 0);

const isRefused = ({ body: { __type } }: AnsweredRequest): boolean =>
  __type?.endsWith("ConditionalCheckFailedException") === true;

/** No engine reports what a refused write costs: DynamoDB charges the larger of the item there and the item to be. */
const refusedUnits = ({ input, body: { Item = {} } }: AnsweredRequest): number => {
  const values = Object.values((input.ExpressionAttributeValues ?? {}) as Record<string, AttributeValue>);
  return writeUnitsOf(values.reduce((bytes, value) => bytes + valueBytes(value), itemBytes(Item)));
};
