import { Agent } from "node:http";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type { NodeHttpHandler } from "@smithy/node-http-handler";
import { cursor } from "../baselines/cursor.ts";
import { firstAvailable } from "../baselines/first-available.ts";
import { randomStart } from "../baselines/random-start.ts";
import { startBenchTable } from "../lib/engine.ts";
import { type Meter, meter } from "../lib/meter.ts";
import type { Contender } from "./contender.ts";
import { countRequests } from "./take-turns.ts";

/** More than there are ever callers: on Lambda each instance has connections of its own. */
const maxSockets = 1_100;

const patienceMs = 60_000;

export interface World {
  /** The service's own client, which every contender uses. */
  readonly client: DynamoDBDocumentClient;
  readonly meter: Meter;
  readonly contenders: {
    readonly codewell: Contender;
    readonly firstAvailable: Contender;
    readonly randomStart: Contender;
    readonly cursor: Contender;
  };
  close(): Promise<void>;
}

/** An engine and all contenders on it, over one client with one meter. */
export const startWorld = async (): Promise<World> => {
  const table = await startBenchTable();
  const { dynamoDb } = await import("../../shared/storage/client.ts");
  const { codewell } = await import("./codewell.ts");
  const handler = dynamoDb.config.requestHandler as NodeHttpHandler;
  handler.updateHttpClientConfig("httpAgent", new Agent({ keepAlive: true, maxSockets }));
  // A thousand callers and the engine share a machine: who waits here waits for a processor, and DynamoDB does not hang.
  handler.updateHttpClientConfig("connectionTimeout", patienceMs);
  handler.updateHttpClientConfig("requestTimeout", patienceMs);
  countRequests(dynamoDb);
  const counting = meter(dynamoDb);
  return {
    client: dynamoDb,
    meter: counting,
    contenders: {
      codewell: codewell(),
      firstAvailable: firstAvailable(table, dynamoDb),
      randomStart: randomStart(table, dynamoDb),
      cursor: cursor(table, dynamoDb),
    },
    close: async () => {
      counting.stop();
      await table.close();
    },
  };
};
