import { setTimeout as sleep } from "node:timers/promises";
import { DeleteItemCommand, DynamoDBClient, paginateScan } from "@aws-sdk/client-dynamodb";
import { expect } from "vitest";
import type { Audience } from "../../shared/contract/audiences.ts";
import type { CodeFile } from "../../shared/contract/code-files.ts";
import type { Erasure } from "../../shared/contract/erasures.ts";
import type { Export } from "../../shared/contract/exports.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import { mostReceives } from "../../shared/queues/most-receives.ts";
import { customerPartitionPrefix, keys, prefixes } from "../../shared/storage/table.ts";
import type { Exchange, WireAnswer, WireRequest } from "../faults/fault-proxy.ts";
import type { Trouble, WatchedService } from "./watched-service.ts";

/** What the service said while somebody went everywhere with it. */
export interface Tour {
  /** Every body of a refusal or failure. */
  readonly problems: readonly string[];
  /** Every status that was answered. */
  readonly statuses: ReadonlySet<number>;
}

interface Form {
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
}

const patienceMs = 300_000;
/** More than the 5 MB that S3 takes as a part. */
const rowsOfParts = 30_000;
/** So that 11,000 rows of an export are more than that too. */
const longContext = { occurenceId: "o".repeat(128), seriesId: "s".repeat(128), actionId: "a".repeat(128) };

/**
 * Goes through every route and every job, the good ways and the bad ones, with the help of what `marked` makes
 * customer ids of. Ends when all of its work is done.
 */
export const tourOf = async (watched: WatchedService, marked: (name: string) => string): Promise<Tour> => {
  const { client, calls } = watched;
  const problems: string[] = [];
  const statuses = new Set<number>();

  const say = async <Body>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => {
    const reply = await client.call<Body>(method, path, body, headers);
    statuses.add(reply.status);
    if (reply.status >= 400) problems.push(JSON.stringify(reply.body));
    return reply;
  };
  const get = async <Body>(path: string) => (await say<Body>("GET", path)).body;
  let idempotencyKeys = 0;
  /** All that an Idempotency-Key goes through: a refused call sets it free, a good one takes it, a repeated one finds it. */
  const post = async <Body>(
    path: string,
    body: unknown,
    refusedPath: string,
    refusedBody = body,
  ): Promise<Body> => {
    idempotencyKeys += 1;
    const headers = { "Idempotency-Key": `tour-${idempotencyKeys}` };
    const refused = await say("POST", refusedPath, refusedBody, headers);
    expect(refused.status).toBeGreaterThanOrEqual(400);
    const first = await say<Body>("POST", path, body, headers);
    const again = await say<Body>("POST", path, body, headers);
    expect([first.status, again.status]).toEqual([first.status, first.status]);
    expect(first.status).toBeLessThan(300);
    return first.body;
  };
  const { endpoint, region, accessKeyId, secretAccessKey, tableName } = client.endpoints.dynamodb;
  const table = new DynamoDBClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } });
  /** The secret of the cursors is made by whoever needs it first, which can be every list. */
  const firstList = async <Body>(path: string): Promise<Body> => {
    const { pk, sk } = keys.cursorSecret();
    await table.send(new DeleteItemCommand({ TableName: tableName, Key: { pk: { S: pk }, sk: { S: sk } } }));
    const page = await get<Body & { nextCursor?: string }>(path);
    const separator = path.includes("?") ? "&" : "?";
    if (page.nextCursor) await say("GET", `${path}${separator}cursor=${encodeURIComponent(page.nextCursor)}`);
    await say("GET", `${path}${separator}cursor=nonsense`);
    return page;
  };
  const download = async (url: string | undefined): Promise<void> => {
    expect((await fetch(url ?? "no URL was told")).status).toBe(200);
  };
  const has = (functionName: string, right: string) =>
    [...(calls.get(functionName) ?? [])].some((call) => call.startsWith(right));
  const until = async (functionName: string, right: string): Promise<void> => {
    const deadline = Date.now() + patienceMs;
    while (!has(functionName, right)) {
      if (Date.now() > deadline) throw new Error(`${functionName} does not call ${right}`);
      await sleep(50);
    }
  };

  await promotionsAndPromocodes();
  await codeFiles();
  await allocations();
  await audiences();
  await exports();
  await withdrawals();
  await erasures();
  await nonsense();
  await firstList("/v1/audit?limit=1");
  table.destroy();
  return { problems, statuses };

  async function promotionsAndPromocodes(): Promise<void> {
    const promotion = { name: "Tour", status: "active", promotionId: "tour" };
    await post("/v1/promotions", promotion, "/v1/promotions", { name: "" });
    await post("/v1/promotions", { name: "Other" }, "/v1/promotions", { name: "x", promotionId: "tour" });
    const draft = await post<Promotion>(
      "/v1/promotions/tour/duplicate",
      {},
      "/v1/promotions/nowhere/duplicate",
    );
    await firstList("/v1/promotions?limit=1");
    await firstList("/v1/promotions?limit=1&status=active");
    for (const promotionId of [draft.promotionId, "nowhere"]) {
      const path = `/v1/promotions/${promotionId}`;
      await say("GET", path);
      await say("PATCH", path, { name: "Renamed" });
      for (const change of ["activate", "activate", "deactivate", "deactivate"])
        await say("PATCH", `${path}/${change}`);
      await say("DELETE", path);
      await say("DELETE", path);
      await say("PATCH", `${path}/activate`);
    }
    const global = { promotionId: "tour", type: "global", code: "EVERYBODY", promocodeId: "everybody" };
    await post("/v1/promocodes", global, "/v1/promocodes", { ...global, promotionId: "nowhere" });
    await say("POST", "/v1/promocodes", { ...global, promocodeId: "other" });
    for (const promocodeId of ["pool", "dry", "crowd", "second"])
      await say("POST", "/v1/promocodes", { promotionId: "tour", type: "personalized", promocodeId });
    for (const promocodeId of ["pool", "nowhere", "everybody"]) {
      await say("GET", `/v1/promocodes/${promocodeId}`);
      await say("PATCH", `/v1/promocodes/${promocodeId}`, { uniqueCodes: { onExhausted: "default" } });
    }
    await firstList("/v1/promocodes?limit=1");
    await say("GET", "/v1/promocodes?code=everybody&promotionId=tour");
  }

  async function codeFiles(): Promise<void> {
    const badRows = Array.from({ length: 30 }, (_, at) => `has blanks ${at}`);
    const codes = (prefix: string, count: number) =>
      [...Array.from({ length: count }, (_, at) => `${prefix}-${at}`), ...badRows].join("\n");
    const announced = await post<{ file: CodeFile; upload: Form }>(
      "/v1/promocodes/pool/files",
      { fileName: "codes.csv" },
      "/v1/promocodes/nowhere/files",
    );
    // While one file of a promocode is loaded, another one waits: it queues itself again.
    watched.trouble("LoadingFunction", {
      matches: ({ operation }) =>
        operation === "BatchWriteItem" && !has("LoadingFunction", "sqs:SendMessage on LoadingQueue"),
      times: Number.POSITIVE_INFINITY,
      answer: async () => {
        await until("LoadingFunction", "sqs:SendMessage on LoadingQueue");
        return undefined;
      },
    });
    await client.send(announced.upload, codes("POOL", 3_000));
    await client.drop("pool", "dropped.csv", codes("DROP", 100));
    await client.loadedFiles("pool", 2, patienceMs);
    const files = await firstList<{ items: CodeFile[] }>("/v1/promocodes/pool/files?limit=1");
    await say("GET", "/v1/promocodes/nowhere/files");
    await download(files.items[0]?.rejectsUrl);
    const file = await get<CodeFile>(`/v1/promocodes/pool/files/${announced.file.fileId}`);
    await download(file.rejectsUrl);
    await say("GET", "/v1/promocodes/pool/files/fil_01KA0000000000000000000000");

    await client.drop("crowd", "crowd.csv", codes("CROWD", 12_000));
    await client.drop("second", "second.csv", codes("SECOND", 50));
    await client.drop("second", "no-codes.csv", "a b\nc d");
    await client.drop("nowhere", "unclaimed.csv", "A1");
    await watched.deliver("LoadingFunction", aNewObject("promocodes/pool/gone.csv"));
    await client.loadedFiles("crowd", 1, patienceMs);
    await client.loadedFiles("second", 2, patienceMs);

    const tooMany = Array.from({ length: rowsOfParts }, (_, at) => `has blanks ${at} ${"x".repeat(180)}`);
    watched.trouble("LoadingFunction", { matches: isPart("rejects/"), answer: () => accessDenied });
    await client.drop("second", "many-rejects.csv", ["GOOD-1", ...tooMany].join("\n"));
    await until("LoadingFunction", "s3:AbortMultipartUpload on FilesExports/rejects/");
  }

  async function allocations(): Promise<void> {
    const ada = { customerId: marked("ada"), occurenceId: "mail" };
    for (const promocodeId of ["pool", "dry", "everybody", "nowhere"]) {
      await say("POST", `/v1/promocodes/${promocodeId}/allocations`, ada);
      await say("POST", `/v1/promocodes/${promocodeId}/allocations`, ada, { "Idempotency-Key": "ada-1" });
      await say("POST", `/v1/promocodes/${promocodeId}/allocations`, {
        ...ada,
        more: marked("unknown-field"),
      });
    }
    for (const promocodeId of ["second", "dry", "everybody", "nowhere"]) {
      const entries = Array.from({ length: 80 }, (_, at) => ({ ...ada, customerId: marked(`batch-${at}`) }));
      await say("POST", `/v1/promocodes/${promocodeId}/allocations/batch`, { allocations: entries });
    }
    await say("POST", "/v1/promocodes/pool/allocations/batch", {
      allocations: [
        ada,
        { customerId: `${marked("control")}\u0000` },
        { customerId: marked("x".repeat(200)) },
      ],
    });
    const customer = encodeURIComponent(ada.customerId);
    await firstList(`/v1/promocodes/pool/allocations?customerId=${customer}`);
    await firstList(`/v1/promocodes/dry/allocations?customerId=${customer}&limit=1`);
    await firstList(`/v1/customers/${customer}/allocations?limit=1`);
    const held = await get<{ items: { uniqueCode: string }[] }>(
      `/v1/promocodes/pool/allocations?customerId=${customer}`,
    );
    await say("GET", `/v1/promocodes/pool/codes/${held.items[0]?.uniqueCode}`);
    await say("GET", "/v1/promocodes/pool/codes/POOL-2999");
    await say("GET", "/v1/promocodes/pool/codes/NO-SUCH-CODE");
    await say("GET", "/v1/promocodes/nowhere/codes/NO-SUCH-CODE");
  }

  async function audiences(): Promise<void> {
    const many = Array.from({ length: 40 }, (_, at) => marked(`audience-${at}`));
    const badRows = Array.from({ length: 30 }, (_, at) => `${marked(`too-long-${at}`)}${"x".repeat(128)}`);
    const announce = (promocodeId: string, mode: string) =>
      post<{ audience: Audience; upload: Form }>(
        `/v1/promocodes/${promocodeId}/audiences`,
        { fileName: "audience.csv", mode, ...longContext },
        "/v1/promocodes/nowhere/audiences",
      );
    const over = (audienceId: string) =>
      client.until<Audience>(
        `/v1/audiences/${audienceId}`,
        ({ status }) => status === "succeeded" || status === "failed",
        patienceMs,
      );

    const preview = await announce("pool", "preview");
    await client.send(preview.upload, many.join("\n"));
    await over(preview.audience.audienceId);

    // S3 loses the upload when it is to be completed: the result is begun anew, in another run.
    const lost = watched.trouble("AllocatingFunction", { matches: isCompletion, answer: () => noSuchUpload });
    const small = await announce("pool", "allocate");
    await client.send(small.upload, [...many, ...badRows].join("\n"));
    const allocated = await over(small.audience.audienceId);
    expect([allocated.status, lost.happened]).toEqual(["succeeded", 1]);
    await download(allocated.downloadUrl);
    await download(allocated.rejectsUrl);

    // The answer of the completion is lost, and the second try finds the upload gone: the object is there, though.
    watched.trouble("AllocatingFunction", {
      matches: isCompletion,
      answer: async (exchange: Exchange) => {
        await exchange.carryOut();
        return noSuchUpload;
      },
    });
    await client.put("audiences/pool/dropped.csv", [...many, ...badRows].join("\n"));
    await client.put("audiences/nowhere/unclaimed.csv", many.join("\n"));
    await client.finishedAudiences("pool", 3);
    await until("AllocatingFunction", "s3:GetObject on FilesExports/audiences/");
    const page = await firstList<{ items: Audience[] }>("/v1/promocodes/pool/audiences?limit=1");
    await download(page.items[0]?.downloadUrl);
    await download(page.items[0]?.rejectsUrl);
    await say("GET", "/v1/promocodes/nowhere/audiences");
    await say("GET", "/v1/audiences/aud_01KA0000000000000000000000");
    await watched.deliver("AllocatingFunction", aNewObject("audiences/pool/gone.csv"));

    const crowd = await announce("crowd", "allocate");
    await client.send(
      crowd.upload,
      Array.from({ length: 11_000 }, (_, at) => long(`crowd-${at}`)).join("\n"),
    );
    expect((await over(crowd.audience.audienceId)).status).toBe("succeeded");

    watched.trouble("AllocatingFunction", { matches: isPart("rejects/"), answer: () => accessDenied });
    const tooMany = Array.from({ length: rowsOfParts }, (_, at) => `${marked(`no-${at}`)}${"x".repeat(150)}`);
    await client.put("audiences/dry/many-rejects.csv", [...many, ...tooMany].join("\n"));
    await until("AllocatingFunction", "s3:AbortMultipartUpload on FilesExports/rejects/");
  }

  async function exports(): Promise<void> {
    const done = (exportId: string) =>
      client.until<Export>(`/v1/exports/${exportId}`, ({ status }) => status === "succeeded", patienceMs);
    watched.trouble("ExportingFunction", { matches: isPart("exports/"), answer: () => accessDenied });
    await post("/v1/promocodes/crowd/exports", {}, "/v1/promocodes/nowhere/exports");
    await until("ExportingFunction", "s3:AbortMultipartUpload on FilesExports/exports/");
    const { items } = await get<{ items: CodeFile[] }>("/v1/promocodes/second/files");
    const fileId = items[0]?.fileId;
    const ofFile = await post<Export>(
      `/v1/promocodes/second/files/${fileId}/exports`,
      { formulaSafe: true },
      `/v1/promocodes/nowhere/files/${fileId}/exports`,
    );
    await done(ofFile.exportId);
    const again = await say<Export>("POST", "/v1/promocodes/crowd/exports");
    await download((await done(again.body.exportId)).downloadUrl);
    await say("GET", "/v1/exports/exp_01KA0000000000000000000000");
  }

  async function withdrawals(): Promise<void> {
    const { items } = await get<{ items: CodeFile[] }>("/v1/promocodes/pool/files");
    const [file, other] = items.filter(({ status }) => status === "ready");
    const path = `/v1/promocodes/pool/files/${file?.fileId}`;
    // The queue takes nothing: the file waits to be sealed until somebody asks again.
    watched.trouble("ApiWithdrawCodeFile", refusedByItsQueue);
    expect((await say("DELETE", path)).status).toBe(500);
    await watched.deliver(
      "WithdrawingFunction",
      { promocodeId: "pool", fileId: file?.fileId },
      { timeoutSeconds: 20 },
    );
    await client.until<CodeFile>(path, ({ status }) => status === "withdrawn", patienceMs);
    const withdrawn = await say<CodeFile>("DELETE", path);
    await download(withdrawn.body.rejectsUrl);
    await say("DELETE", `/v1/promocodes/pool/files/${other?.fileId}`);
    await say("DELETE", "/v1/promocodes/nowhere/files/fil_01KA0000000000000000000000");
  }

  async function erasures(): Promise<void> {
    const path = `/v1/customers/${encodeURIComponent(marked("ada"))}`;
    // The queue takes nothing: the request, which names the person, is not kept.
    watched.trouble("ApiEraseCustomer", refusedByItsQueue);
    expect((await say("DELETE", path)).status).toBe(500);
    // One who has a record of a default code, and one whose code is away from home.
    for (const person of [path, `/v1/customers/${encodeURIComponent(await someoneWithAnIntent())}`]) {
      const asked = await say<Erasure>("DELETE", person);
      await client.until<Erasure>(
        `/v1/erasures/${asked.body.erasureId}`,
        ({ status }) => status === "succeeded",
        patienceMs,
      );
    }
    await say("DELETE", `${path}%00`);
    await say("GET", "/v1/erasures/era_01KA0000000000000000000000");
  }

  async function someoneWithAnIntent(): Promise<string> {
    for await (const { Items = [] } of paginateScan(
      { client: table },
      {
        TableName: tableName,
        FilterExpression: "begins_with(sk, :prefix)",
        ExpressionAttributeValues: { ":prefix": { S: `${prefixes.intent}crowd#` } },
      },
    ))
      for (const { pk } of Items) return pk?.S?.slice(customerPartitionPrefix.length) ?? "";
    throw new Error("nobody was placed away from home");
  }

  async function nonsense(): Promise<void> {
    const customer = encodeURIComponent(marked("nonsense"));
    for (const path of [
      "/health",
      "/openapi.json",
      `/v1/customers/${customer}`,
      `/v1/customers/${customer}/nothing`,
      `/v1/customers/${customer}%00/allocations`,
      `/v1/customers/${customer}%E4/allocations`,
      `/v1/customers/${customer}%2Fx/allocations?limit=${customer}`,
      `/v1/customers/${customer}${"x".repeat(150)}/allocations`,
      `/v1/promocodes/pool/allocations?customerId=${customer}%00`,
      `/v1/promocodes/nowhere/allocations?customerId=${customer}`,
    ])
      await say("GET", path);
    await say("PUT", `/v1/customers/${customer}/allocations`);
    await say("GET", `/v1/customers/${customer}/allocations`, undefined, { "X-API-KEY": marked("key") });
    await say("POST", "/v1/promocodes/pool/allocations", [marked("list")]);
    for (const body of [`{"customerId":"${marked("torn")}`, marked("no-json"), `"${marked("text")}"`])
      problems.push(await refusedText("/v1/promocodes/pool/allocations", body));

    for (const functionName of jobFunctions)
      await watched.deliver(functionName, { nonsense: marked("message") }, { receives: mostReceives });

    // The engine fails in ways of its own, with customers in its answers.
    const item = { pk: { S: `customer#${marked("in-an-item")}` }, u: { L: [{ S: marked("in-a-list") }] } };
    const failures: readonly WireAnswer[] = [
      jsonAnswer(400, {
        __type: "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        message: "The conditional request failed",
        Item: item,
      }),
      jsonAnswer(400, {
        __type: "com.amazonaws.dynamodb.v20120810#ThrottlingException",
        message: "Slow down",
      }),
      jsonAnswer(400, {
        __type: "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
        message: "Requested resource not found",
      }),
      jsonAnswer(500, { __type: "com.amazonaws.dynamodb.v20120810#InternalServerError", message: "broken" }),
    ];
    for (const functionName of [
      "ApiAllocateCode",
      "ApiAllocateCodes",
      "ApiGetCustomerAllocations",
      "ApiGetCustomerAllocationsOfPromocode",
    ])
      for (const failure of failures) {
        const trouble = { matches: isTableCall, answer: () => failure, times: 6 };
        const { happened } = watched.trouble(functionName, trouble);
        expect(happened).toBe(0);
        const broken = marked(`broken-${functionName}`);
        const entry = { customerId: broken, occurenceId: "mail" };
        if (functionName === "ApiAllocateCode") await say("POST", "/v1/promocodes/crowd/allocations", entry);
        if (functionName === "ApiAllocateCodes")
          await say("POST", "/v1/promocodes/crowd/allocations/batch", { allocations: [entry] });
        if (functionName === "ApiGetCustomerAllocations")
          await say("GET", `/v1/customers/${encodeURIComponent(broken)}/allocations`);
        if (functionName === "ApiGetCustomerAllocationsOfPromocode")
          await say("GET", `/v1/promocodes/crowd/allocations?customerId=${encodeURIComponent(broken)}`);
        watched.calm(functionName);
      }
  }

  /** Sends a body as it stands. */
  async function refusedText(path: string, body: string): Promise<string> {
    const headers = { "X-API-KEY": client.endpoints.apiKey, "Content-Type": "application/json" };
    const response = await fetch(`${client.endpoints.apiUrl}${path}`, { method: "POST", headers, body });
    expect(response.status).toBe(400);
    return response.text();
  }

  /** As long as a customer's id may be. */
  function long(name: string): string {
    return marked(name).padEnd(128, "x");
  }
};

/** What S3 tells the queue of an object that is gone by now. */
const aNewObject = (key: string) => ({
  Records: [{ s3: { object: { key, versionId: "gone" } }, eventTime: "2026-11-25T12:00:00.000Z" }],
});

const jobFunctions = [
  "LoadingFunction",
  "AllocatingFunction",
  "ExportingFunction",
  "WithdrawingFunction",
  "ErasingFunction",
];

const isTableCall = ({ service }: WireRequest): boolean => service === "dynamodb";

const isPart =
  (prefix: string) =>
  ({ method, path }: WireRequest): boolean =>
    method === "PUT" && path.includes(`/${prefix}`) && path.includes("partNumber=");

const isCompletion = ({ method, path }: WireRequest): boolean =>
  method === "POST" && path.includes("/audiences/") && path.includes("uploadId=");

const refusedByItsQueue: Trouble = {
  matches: ({ operation }) => operation === "SendMessage",
  answer: () => jsonAnswer(400, { __type: "AccessDenied", message: "no" }),
};

const xmlAnswer = (status: number, code: string): WireAnswer => ({
  status,
  rawHeaders: ["Content-Type", "application/xml"],
  body: Buffer.from(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`),
});
const accessDenied = xmlAnswer(403, "AccessDenied");
const noSuchUpload = xmlAnswer(404, "NoSuchUpload");

const jsonAnswer = (status: number, body: object): WireAnswer => ({
  status,
  rawHeaders: ["Content-Type", "application/x-amz-json-1.0"],
  body: Buffer.from(JSON.stringify(body)),
});
