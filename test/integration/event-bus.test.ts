import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { EventBridgeClient, ListRulesCommand, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type DeliveredEvent,
  type EventBridgeServer,
  startEventBridge,
} from "../../local/event-bus/event-bridge-server.ts";
import { codeFileLoaded } from "../../shared/domain/service-events.ts";

const credentials = { accessKeyId: "LOCAL", secretAccessKey: "local" };
const loaded = (at: number) =>
  codeFileLoaded({
    occurredAt: "2026-11-23T09:01:04.310Z",
    promocodeId: "pcd_1",
    fileId: `fil_${String(at).padStart(26, "0")}`,
    source: "drop",
    codes: at,
    duplicatesInFile: 0,
    duplicatesInPool: 0,
    rejected: 0,
  });

/** Points the service's own code at an endpoint, with a client that was never used. */
const publisherAt = async (endpoint: string) => {
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_EVENTBRIDGE: endpoint,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    EVENT_BUS_NAME: "ours",
  });
  vi.resetModules();
  return import("../../shared/events/publish-events.ts");
};

describe("the event bus on this machine", () => {
  let server: EventBridgeServer;
  let client: EventBridgeClient;
  let received: DeliveredEvent[];
  beforeAll(async () => {
    server = await startEventBridge({
      region: "us-east-1",
      buses: ["ours"],
      onEvent: (event) => received.push(event),
    });
    client = new EventBridgeClient({ region: "us-east-1", credentials, endpoint: server.endpoint });
  });
  beforeEach(() => {
    received = [];
  });
  afterAll(() => server.close());

  const put = (...Entries: NonNullable<ConstructorParameters<typeof PutEventsCommand>[0]["Entries"]>) =>
    client.send(new PutEventsCommand({ Entries }));
  const anEntry = { EventBusName: "ours", Source: "codewell", DetailType: "PoolDry", Detail: '{"a":1}' };

  it("delivers what the service publishes, with its envelope, however many there are", async () => {
    const { publishEvents } = await publisherAt(server.endpoint);
    const told = Array.from({ length: 23 }, (_, at) => loaded(at));

    await publishEvents(told);

    expect(received.map(({ detail }) => detail)).toEqual(told.map(({ detail }) => detail));
    expect(received[0]).toMatchObject({
      version: "0",
      "detail-type": "CodeFileLoaded",
      source: "codewell",
      account: "000000000000",
      time: "2026-11-23T09:01:04Z",
      region: "us-east-1",
      resources: [],
    });
    expect(new Set(received.map(({ id }) => id)).size).toBe(23);
  });

  it("never gets a field that the contract does not name", async () => {
    const { publishEvents } = await publisherAt(server.endpoint);
    const { name, detail } = loaded(1);

    await publishEvents([{ name, detail: { ...detail, customerId: "ada" } as never }]);

    expect(received).toHaveLength(1);
    expect(JSON.stringify(received)).not.toContain("ada");
  });

  it("refuses an entry for itself, beside others that it takes", async () => {
    const answer = await put(
      anEntry,
      { ...anEntry, EventBusName: "theirs" },
      { ...anEntry, Detail: "[1]" },
      { ...anEntry, Source: "" },
    );

    expect(answer.FailedEntryCount).toBe(3);
    expect(answer.Entries?.map(({ ErrorCode }) => ErrorCode)).toEqual([
      undefined,
      "InvalidArgument",
      "MalformedDetail",
      "InvalidArgument",
    ]);
    expect(received).toHaveLength(1);
  });

  it("refuses more than ten entries, more than 256 KB, and what it does not imitate", async () => {
    const large = { ...anEntry, Detail: JSON.stringify({ a: "x".repeat(30_000) }) };

    await expect(put(...Array.from({ length: 11 }, () => anEntry))).rejects.toThrow("Too big");
    await expect(put(...Array.from({ length: 9 }, () => large))).rejects.toThrow("Total size");
    await expect(client.send(new ListRulesCommand({}))).rejects.toThrow("ListRules is not imitated");
    expect(received).toEqual([]);
  });
});

describe("publishing to a bus that", () => {
  let bus: Server;
  let answers: ((names: readonly string[]) => object | number)[];
  let asked: string[][];
  beforeAll(async () => {
    bus = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const { Entries } = JSON.parse(Buffer.concat(chunks).toString()) as { Entries: { Detail: string }[] };
      const names = Entries.map(({ Detail }) => (JSON.parse(Detail) as { eventId: string }).eventId);
      asked.push(names);
      const answer = (answers.shift() ?? (() => 500))(names);
      response.writeHead(typeof answer === "number" ? answer : 200, {
        "content-type": "application/x-amz-json-1.1",
      });
      response.end(JSON.stringify(typeof answer === "number" ? { __type: "InternalException" } : answer));
    });
    await new Promise<void>((resolve) => bus.listen(0, "127.0.0.1", resolve));
  });
  beforeEach(() => {
    asked = [];
  });
  afterAll(() => {
    bus.close();
    bus.closeAllConnections();
  });
  const publisher = () => publisherAt(`http://127.0.0.1:${(bus.address() as AddressInfo).port}`);
  const taken = { EventId: "e" };
  const throttled = { ErrorCode: "ThrottlingException", ErrorMessage: "slow down" };
  const two = [loaded(1), loaded(2)];
  const ids = two.map(({ detail }) => detail.eventId);

  it("takes a part sends the rest again, and only the rest", async () => {
    const { publishEvents } = await publisher();
    answers = [
      () => ({ FailedEntryCount: 1, Entries: [throttled, taken] }),
      () => ({ FailedEntryCount: 0, Entries: [taken] }),
    ];

    await publishEvents(two);

    expect(asked).toEqual([ids, ids.slice(0, 1)]);
  });

  it("keeps refusing an entry is an error that names the reason", async () => {
    const { publishEvents } = await publisher();
    answers = Array.from({ length: 3 }, () => () => ({ FailedEntryCount: 1, Entries: [throttled] }));

    await expect(publishEvents(two.slice(0, 1))).rejects.toThrow(
      "the bus refused 1 events: ThrottlingException",
    );
    expect(asked).toHaveLength(3);
  });

  it("says nothing of an entry has not taken it", async () => {
    const { publishEvents } = await publisher();
    answers = Array.from({ length: 3 }, () => () => ({ FailedEntryCount: 0, Entries: [] }));

    await expect(publishEvents(two)).rejects.toThrow("the bus refused 2 events: no answer");
  });

  it("is down is an error too, after the SDK's own tries", async () => {
    const { publishEvents, EventsUndelivered } = await publisher();
    answers = [];

    await expect(publishEvents(two)).rejects.toThrow(EventsUndelivered);
    expect(asked).toHaveLength(3);
  });
});
