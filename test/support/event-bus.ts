import { type DeliveredEvent, startEventBridge } from "../../local/event-bus/event-bridge-server.ts";

export interface TestBus {
  /** What the bus was told so far, in order. */
  readonly received: DeliveredEvent[];
  /** True: it takes nothing, as if it were not there. */
  isDown: boolean;
  /** What came since the last call. */
  told(): readonly DeliveredEvent[];
  close(): Promise<void>;
}

/**
 * Starts a bus on loopback and points this process at it. Modules that hold a client must be imported after this call,
 * as with `createTable`, which should come later.
 */
export const startTestBus = async (): Promise<TestBus> => {
  const received: DeliveredEvent[] = [];
  const server = await startEventBridge({
    region: "us-east-1",
    buses: ["test-bus"],
    onEvent: (event) => {
      if (bus.isDown) throw new Error("the bus is down");
      received.push(event);
    },
  });
  process.env.AWS_ENDPOINT_URL_EVENTBRIDGE = server.endpoint;
  process.env.EVENT_BUS_NAME = "test-bus";
  const bus: TestBus = {
    received,
    isDown: false,
    told: () => received.splice(0),
    close: () => server.close(),
  };
  return bus;
};
