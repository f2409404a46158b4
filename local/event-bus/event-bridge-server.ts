import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as z from "zod";
import { localAccountId } from "../template/read-template.ts";

/** An event as a rule's target would get it. */
export interface DeliveredEvent {
  readonly version: "0";
  readonly id: string;
  readonly "detail-type": string;
  readonly source: string;
  readonly account: string;
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface EventBridgeServerOptions {
  readonly region: string;
  /** Buses that there are, by name. */
  readonly buses: readonly string[];
  /** Called for each event, in order, before the request is answered. */
  readonly onEvent: (event: DeliveredEvent) => void;
}

export interface EventBridgeServer {
  readonly endpoint: string;
  close(): Promise<void>;
}

/**
 * EventBridge's PutEvents (`application/x-amz-json-1.1`) on loopback. It has no rules: each event goes to `onEvent`.
 * Signatures are not checked.
 */
export async function startEventBridge(options: EventBridgeServerOptions): Promise<EventBridgeServer> {
  const server = createServer((request, response) => {
    answer(request, response, options).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve());
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** EventBridge's limit on all entries of a request together, in bytes. */
const maxEntriesBytes = 262_144;
const maxRequestBytes = 2 * 1024 * 1024;

class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: EventBridgeServerOptions,
): Promise<void> {
  const reply = (status: number, body: object) => {
    response.writeHead(status, {
      "content-type": "application/x-amz-json-1.1",
      "x-amzn-requestid": randomUUID(),
    });
    response.end(JSON.stringify(body));
  };
  try {
    const target = String(request.headers["x-amz-target"]);
    if (target !== "AWSEvents.PutEvents")
      throw new Refusal("UnknownOperationException", `${target} is not imitated.`);
    reply(200, putEvents(await bodyOf(request), options));
  } catch (error) {
    const refusal =
      error instanceof z.ZodError
        ? new Refusal("ValidationException", z.prettifyError(error))
        : (error as Refusal);
    if (!(refusal instanceof Refusal)) throw error;
    reply(400, { __type: refusal.code, message: refusal.message });
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxRequestBytes) throw new Refusal("ValidationException", "The request is too long.");
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString() || "{}");
  } catch {
    throw new Refusal("SerializationException", "The body is not JSON.");
  }
}

const entrySchema = z.object({
  EventBusName: z.string().min(1).default("default"),
  Source: z.string().optional(),
  DetailType: z.string().optional(),
  Detail: z.string().optional(),
  /** Seconds since 1970. */
  Time: z.number().optional(),
  Resources: z.array(z.string()).default([]),
});
type Entry = z.infer<typeof entrySchema>;
const inputSchema = z.object({ Entries: z.array(entrySchema).min(1).max(10) });

function putEvents(input: unknown, options: EventBridgeServerOptions): object {
  const { Entries } = inputSchema.parse(input);
  const bytes = Entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
  if (bytes > maxEntriesBytes)
    throw new Refusal("ValidationException", "Total size of the entries in the request is over the limit.");
  const results = Entries.map((entry) => putEvent(entry, options));
  return { FailedEntryCount: results.filter((result) => "ErrorCode" in result).length, Entries: results };
}

/** As EventBridge reckons: docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size. */
function sizeOf({ Source = "", DetailType = "", Detail = "", Time, Resources }: Entry): number {
  const texts = [Source, DetailType, Detail, ...Resources];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), Time === undefined ? 0 : 14);
}

/** An entry fails for itself, beside others that succeed. */
function putEvent(entry: Entry, { region, buses, onEvent }: EventBridgeServerOptions): object {
  const bus = entry.EventBusName.split("/").at(-1) ?? "";
  if (!buses.includes(bus))
    return { ErrorCode: "InvalidArgument", ErrorMessage: `There is no event bus ${bus}.` };
  for (const name of ["Source", "DetailType", "Detail"] as const)
    if (!entry[name])
      return {
        ErrorCode: "InvalidArgument",
        ErrorMessage: `Parameter ${name} is not valid. Reason: ${name} is a required argument.`,
      };
  const { Source = "", DetailType = "", Detail = "", Time, Resources } = entry;
  const detail = jsonObject(Detail);
  if (!detail) return { ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed." };
  const id = randomUUID();
  onEvent({
    version: "0",
    id,
    "detail-type": DetailType,
    source: Source,
    account: localAccountId,
    time: new Date(Time === undefined ? Date.now() : Time * 1_000).toISOString().replace(/\.\d+Z$/, "Z"),
    region,
    resources: Resources,
    detail,
  });
  return { EventId: id };
}

function jsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
