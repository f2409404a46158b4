import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import type { Answer } from "./answer.ts";
import { type CorsRule, corsHeaders, corsRulesFromXml, corsRulesToXml } from "./cors.ts";
import { S3Error } from "./errors.ts";
import { MultipartUploads } from "./multipart.ts";
import type { S3EventRecordInput, Subscription } from "./notifications.ts";
import { postObject } from "./object-operations.ts";
import { ObjectStore } from "./object-store.ts";
import { headerOf, readRequest, type S3Request } from "./request.ts";
import { routeFor } from "./routes.ts";
import { type Authority, authenticate, type Credentials } from "./signature.ts";
import { renderErrorXml } from "./xml.ts";

export type { CorsRule } from "./cors.ts";
export type { S3EventRecordInput } from "./notifications.ts";

/** A bucket that is there from the start. */
export interface S3BucketOptions {
  readonly name: string;
  readonly versioned: boolean;
  /**
   * Told of every new object that fits the filter, at least once, also if the process dies in between: until it
   * resolves, it is called again and again.
   */
  readonly notify?: (record: S3EventRecordInput) => Promise<void>;
  /** @default every object */
  readonly notificationFilter?: { readonly prefix?: string; readonly suffix?: string };
  /** @default what was put through the API, if anything */
  readonly cors?: readonly CorsRule[];
}

export interface S3Options {
  /** Where the state is kept; made if it is missing. One server at a time may use it. */
  readonly directory: string;
  /** On 127.0.0.1. @default 0, a free one */
  readonly port?: number;
  readonly region: string;
  readonly credentials: Credentials;
  readonly buckets: readonly S3BucketOptions[];
}

export interface S3Server {
  /** `http://127.0.0.1:<port>`, to be used with path-style addresses. */
  readonly endpoint: string;
  readonly port: number;
  /** Breaks off what is under way and lets go of port and directory. */
  close(): Promise<void>;
}

/** Starts an S3 endpoint on this machine, with the state that the directory holds. */
export async function startS3(options: S3Options): Promise<S3Server> {
  const store = await ObjectStore.open({
    directory: options.directory,
    region: options.region,
    subscriptions: subscriptionsOf(options.buckets),
  });
  for (const bucket of options.buckets) await prepareBucket(store, bucket);

  const service = new S3Service(store, { region: options.region, credentials: options.credentials });
  const server = createServer((incoming, response) => service.handle(incoming, response, false));
  server.on("checkContinue", (incoming, response) => service.handle(incoming, response, true));
  // An upload may take its time, and an SDK keeps connections for longer than the five seconds that Node would.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 65_000;
  const port = await listen(server, options.port ?? 0);

  return {
    endpoint: `http://127.0.0.1:${port}`,
    port,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await store.close();
    },
  };
}

function subscriptionsOf(buckets: readonly S3BucketOptions[]): Map<string, Subscription> {
  const subscriptions = new Map<string, Subscription>();
  for (const { name, notify, notificationFilter = {} } of buckets) {
    if (notify) subscriptions.set(name, { notify, filter: notificationFilter });
  }
  return subscriptions;
}

async function prepareBucket(store: ObjectStore, { name, versioned, cors }: S3BucketOptions): Promise<void> {
  if (!store.catalog.bucket(name)) await store.createBucket(name);
  if (versioned && store.bucket(name).versioning !== "Enabled") await store.setVersioning(name, "Enabled");
  if (cors) await store.configure(name, "cors", corsRulesToXml(cors));
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address() as AddressInfo;
      resolve(address.port);
    });
  });
}

/** Turns a request into an answer, and every failure into the XML that S3 would send. */
class S3Service {
  readonly #uploads: MultipartUploads;

  constructor(
    private readonly store: ObjectStore,
    private readonly authority: Authority,
  ) {
    this.#uploads = new MultipartUploads(store);
  }

  async handle(incoming: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): Promise<void> {
    let request: S3Request | undefined;
    try {
      request = readRequest(incoming, response, awaitsContinue);
      const answer = await this.#answer(request);
      await send(
        response,
        { ...answer, headers: { ...this.#corsHeaders(request), ...answer.headers } },
        request.id,
      );
    } catch (reason) {
      await this.#fail(incoming, response, request, reason);
    }
    // A body that nobody wanted is thrown away, so that the connection can be used again.
    incoming.resume();
  }

  async #answer(request: S3Request): Promise<Answer> {
    if (request.method === "OPTIONS") return this.#preflight(request);

    const now = new Date();
    const { bucket = "", key = "" } = request;
    const isForm = headerOf(request, "content-type")?.toLowerCase().startsWith("multipart/form-data");
    if (request.method === "POST" && bucket !== "" && key === "" && isForm) {
      return postObject(request, bucket, this.store, this.authority, now);
    }
    const authentication = await authenticate(request, this.authority, now);
    const { region } = this.authority;
    return routeFor(request).run({
      request,
      authentication,
      bucket,
      key,
      region,
      store: this.store,
      uploads: this.#uploads,
    });
  }

  #preflight(request: S3Request): Answer {
    const headers = this.#corsHeaders(request);
    if (Object.keys(headers).length > 0) return { status: 200, headers };
    throw new S3Error(
      "AccessDenied",
      "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
    );
  }

  #corsHeaders(request: S3Request): Record<string, string> {
    const origin = headerOf(request, "origin");
    const xml = this.store.catalog.bucket(request.bucket ?? "")?.configurations.get("cors");
    if (origin === undefined || xml === undefined) return {};
    const asked = headerOf(request, "access-control-request-headers") ?? "";
    const names = asked.split(",").map((name) => name.trim().toLowerCase());
    return (
      corsHeaders(corsRulesFromXml(xml), {
        origin,
        method: headerOf(request, "access-control-request-method") ?? request.method,
        headers: names.filter((name) => name !== ""),
      }) ?? {}
    );
  }

  async #fail(
    incoming: IncomingMessage,
    response: ServerResponse,
    request: S3Request | undefined,
    reason: unknown,
  ): Promise<void> {
    // Nobody is there to be told, or the status is out already: all that is left is to break off.
    if (response.headersSent || incoming.errored || response.destroyed) {
      response.destroy();
      return;
    }
    const failure = reason instanceof S3Error ? reason : new S3Error("InternalError");
    if (failure !== reason) console.error(`S3: ${incoming.method} ${request?.path} failed.`, reason);

    const id = request?.id ?? "";
    const xml = renderErrorXml({
      Code: failure.code,
      Message: failure.message,
      Resource: request?.path,
      RequestId: id,
      HostId: id,
      ...failure.details,
    });
    const headers = {
      "content-type": "application/xml",
      ...(request ? this.#corsHeaders(request) : {}),
      ...failure.headers,
    };
    await send(response, { status: failure.status, headers, body: xml }, id).catch(() => response.destroy());
  }
}

async function send(
  response: ServerResponse,
  { status, headers, body }: Answer,
  requestId: string,
): Promise<void> {
  const common = { "x-amz-request-id": requestId, "x-amz-id-2": requestId, server: "CodewellS3" };
  const length = typeof body === "string" ? { "content-length": String(Buffer.byteLength(body)) } : {};
  try {
    response.writeHead(status, { ...common, ...length, ...headers });
    if (body === undefined || typeof body === "string" || response.req.method === "HEAD") response.end(body);
    else await pipeline(body.chunks, response);
  } finally {
    if (typeof body === "object") body.close();
  }
}
