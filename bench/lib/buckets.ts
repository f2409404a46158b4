import { S3Client } from "@aws-sdk/client-s3";
import { startEventBridge } from "../../local/event-bus/event-bridge-server.ts";
import { environmentNames } from "../../shared/environment.ts";
import { Apart } from "./apart.ts";

export interface BenchBuckets {
  /** For the bench itself; `shared/files` of this process keeps the first endpoint that it used. */
  readonly client: S3Client;
  /** Ends the server and removes what it kept. */
  close(): Promise<void>;
}

export const uploadsBucket = "bench-uploads";
export const exportsBucket = "bench-exports";

const eventBus = "bench-events";

/**
 * Starts our S3 server with the service's buckets in a process of its own, and the bus that jobs tell of them in this
 * one, and points the programs at them that are started apart from now on. Its key pair is the bench table's, which must
 * be there already.
 */
export const startBenchBuckets = async (): Promise<BenchBuckets> => {
  process.env[environmentNames.uploadsBucket] = uploadsBucket;
  process.env[environmentNames.exportsBucket] = exportsBucket;
  const server = new Apart("s3");
  const endpoint = String(await server.next());
  process.env.AWS_ENDPOINT_URL_S3 = endpoint;
  const bus = await startEventBridge({ region: "us-east-1", buses: [eventBus], onEvent: () => {} });
  process.env[environmentNames.eventBus] = eventBus;
  process.env.AWS_ENDPOINT_URL_EVENTBRIDGE = bus.endpoint;
  const client = new S3Client({ endpoint, forcePathStyle: true });
  return {
    client,
    close: async () => {
      client.destroy();
      delete process.env.AWS_ENDPOINT_URL_S3;
      delete process.env.AWS_ENDPOINT_URL_EVENTBRIDGE;
      await bus.close();
      await server.close();
    },
  };
};
