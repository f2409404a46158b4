import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { ulid } from "ulid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Audience } from "../../shared/contract/audiences.ts";
import type { RouteName } from "../../shared/contract/routes.ts";
import type { ApiHandler } from "../../shared/http/api-handler.ts";
import type { NewAudience, StoredAudience } from "../../shared/storage/audiences.ts";
import { type CallOptions, callApi, refusedApiCall } from "../support/api-call.ts";
import { engines } from "../support/engines.ts";
import { aLoaderWorld, type LoaderWorld } from "./loader-world.ts";

interface Created {
  readonly audience: Audience;
  readonly upload: {
    readonly url: string;
    readonly fields: Readonly<Record<string, string>>;
    readonly maxBytes: number;
    readonly expiresAt: string;
  };
}
interface Page {
  readonly items: readonly Audience[];
  readonly nextCursor?: string;
}

/** What the API tells of audiences, over records as the job leaves them. The way of a whole file: audiences-over-http.test.ts. */
describe.each(engines)("audiences on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let world: LoaderWorld;
  let handlers: Partial<Record<RouteName, ApiHandler>>;
  let audiences: typeof import("../../shared/storage/audiences.ts").audiences;

  beforeAll(async () => {
    engine = await start();
    world = await aLoaderWorld(engine);
    handlers = {
      createAudience: (await import("../../functions/create-audience/handler.ts")).handler,
      getAudience: (await import("../../functions/get-audience/handler.ts")).handler,
      listAudiences: (await import("../../functions/list-audiences/handler.ts")).handler,
    };
    ({ audiences } = await import("../../shared/storage/audiences.ts"));
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  const handlerOf = (name: RouteName): ApiHandler => {
    const handler = handlers[name];
    if (!handler) throw new Error(`no handler for ${name}`);
    return handler;
  };
  const call = <Body = Audience>(name: RouteName, options?: CallOptions) =>
    callApi<Body>(handlerOf(name), name, options);
  const refusal = async (name: RouteName, options?: CallOptions) =>
    (await refusedApiCall(handlerOf(name), name, options)).body.code;
  const announce = (promocodeId: string, body: object = {}, more: CallOptions = {}) =>
    call<Created>("createAudience", {
      path: { promocodeId },
      body: { fileName: "Abonnenten März.csv", ...body },
      ...more,
    });
  const get = async (audienceId: string) => (await call("getAudience", { path: { audienceId } })).body;
  const list = async (promocodeId: string, query: Record<string, string> = {}) =>
    (await call<Page>("listAudiences", { path: { promocodeId }, query })).body;
  const send = async ({ upload }: Created, content: string, fields = upload.fields) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    form.set("file", new Blob([content]), "whatever.csv");
    return fetch(upload.url, { method: "POST", body: form });
  };

  /** Stores an audience as the job's event does, made this many minutes ago. */
  const store = (
    { promocodeId, promotionId }: { promocodeId: string; promotionId: string },
    { minutesAgo = 0, ...more }: Partial<NewAudience> & { readonly minutesAgo?: number } = {},
  ): Promise<StoredAudience> => {
    const createdAt = new Date(Date.now() - minutesAgo * 60_000);
    return audiences.create({
      audienceId: `aud_${ulid(createdAt.getTime())}`,
      promocodeId,
      promotionId,
      fileName: "dropped.csv",
      source: "drop",
      mode: "allocate",
      occurenceId: null,
      seriesId: null,
      actionId: null,
      objectKey: `audiences/${promocodeId}/dropped.csv`,
      versionId: "v1",
      createdAt: createdAt.toISOString(),
      ...more,
    });
  };
  const begun = async (audience: StoredAudience): Promise<StoredAudience> => {
    const run = await audiences.begin(audience.audienceId, new Date());
    if (!run) throw new Error("the audience could not be begun");
    return run;
  };

  it("are announced with all that a call may say, and get a form for their file", async () => {
    const { promocodeId } = await world.aPromocode();
    const identifiers = { occurenceId: "send 1", seriesId: "newsletter", actionId: "mail" };

    const { status, headers, body } = await announce(promocodeId, { ...identifiers, mode: "preview" });

    const { audience, upload } = body;
    expect(status).toBe(201);
    expect(headers.location).toBe(`/dev/v1/audiences/${audience.audienceId}`);
    expect(audience).toEqual({
      audienceId: expect.stringMatching(/^aud_[0-9A-HJKMNP-TV-Z]{26}$/),
      promocodeId,
      fileName: "Abonnenten März.csv",
      source: "upload",
      mode: "preview",
      ...identifiers,
      status: "awaiting-upload",
      progress: { done: 0, total: 0 },
      rows: { read: 0, customers: 0, repeatedInFile: 0, rejected: 0 },
      summary: { pool: 0, repeated: 0, default: 0, refused: 0 },
      problems: [],
      createdAt: expect.any(String),
    });
    expect(upload.maxBytes).toBe(500 * 1024 * 1024);
    expect(upload.fields.key).toBe(`audience-uploads/${promocodeId}/${audience.audienceId}.csv`);
    expect(Date.parse(upload.expiresAt) - Date.parse(audience.createdAt)).toBeGreaterThan(898_000);
    expect(await get(audience.audienceId)).toEqual(audience);
  });

  it("give out codes and name no occasion unless told otherwise", async () => {
    const { promocodeId } = await world.aPromocode();

    const { audience } = (await announce(promocodeId)).body;

    expect(audience).toMatchObject({ mode: "allocate", occurenceId: null, seriesId: null, actionId: null });
  });

  it("are sent under their own key and under no other, where a drop would be least of all", async () => {
    const { promocodeId } = await world.aPromocode();
    const { body } = await announce(promocodeId);
    const under = (key: string) => send(body, "ada\n", { ...body.upload.fields, key });

    expect((await send(body, "ada\nbob\n")).status).toBe(204);
    expect((await under(`audience-uploads/${promocodeId}/other.csv`)).status).toBe(403);
    expect((await under(`audiences/${promocodeId}/other.csv`)).status).toBe(403);
  });

  it("are announced once for all tries with the same Idempotency-Key, and refused under a key with another body", async () => {
    const { promocodeId } = await world.aPromocode();
    const headers = { "Idempotency-Key": crypto.randomUUID() };

    const first = await announce(promocodeId, {}, { headers });
    const second = await announce(promocodeId, {}, { headers });

    expect(second.body).toEqual(first.body);
    expect(second.headers["idempotent-replayed"]).toBe("true");
    expect((await list(promocodeId)).items).toHaveLength(1);
    expect(
      await refusal("createAudience", {
        path: { promocodeId },
        body: { fileName: "other.csv" },
        headers,
      }),
    ).toBe("idempotency-key-reused");
  });

  it("are refused where they make no sense", async () => {
    const { promocodes } = await import("../../shared/storage/promocodes.ts");
    const [archived, draft] = [await world.aPromotion(), await world.aPromotion("draft")];
    const { promotions } = await import("../../shared/storage/promotions.ts");
    const ofArchived = await world.aPromocode(archived);
    const ofDraft = await world.aPromocode(draft);
    const globalId = `pcd_${crypto.randomUUID()}`;
    const times = { createdAt: "2026-11-23T00:00:00.000Z", updatedAt: "2026-11-23T00:00:00.000Z" };
    const { promotionId } = await world.aPromotion();
    await promocodes.create(
      { promocodeId: globalId, promotionId, type: "global", code: globalId, ...times },
      globalId,
    );
    await promotions.setStatus(archived.promotionId, "archived", new Date());
    const codeOf = (promocodeId: string, body: object = {}) =>
      refusal("createAudience", { path: { promocodeId }, body: { fileName: "a.csv", ...body } });

    expect(await codeOf("nobody")).toBe("promocode-not-found");
    expect(await codeOf(globalId)).toBe("not-personalized");
    expect(await codeOf(ofArchived.promocodeId)).toBe("promotion-archived");
    expect(await codeOf(ofArchived.promocodeId, { mode: "preview" })).toBe("promotion-archived");
    expect(await codeOf(ofDraft.promocodeId)).toBe("promotion-not-active");
    expect((await announce(ofDraft.promocodeId, { mode: "preview" })).status).toBe(201);
  });

  it.each([
    ["a spreadsheet", { fileName: "a.xlsx" }],
    ["a path for a name", { fileName: "../a.csv" }],
    ["an unknown mode", { mode: "dry-run" }],
    ["an empty identifier", { occurenceId: "" }],
    ["an unknown field", { customerIds: ["ada"] }],
  ])("refuse %s", async (_, body) => {
    const { promocodeId } = await world.aPromocode();

    expect(
      await refusal("createAudience", { path: { promocodeId }, body: { fileName: "a.csv", ...body } }),
    ).toBe("invalid-request");
  });

  it("tell how far they are while the job runs", async () => {
    const run = await begun(await store(await world.aPromocode()));
    await audiences.report(run, {
      rows: { read: 1_010, customers: 1_000, repeatedInFile: 8, rejected: 2 },
      problems: [{ line: 7, reason: "is empty" }],
      counts: { pool: 300, repeated: 40, default: 5, refused: 0 },
    });

    const audience = await get(run.audienceId);

    expect(audience).toMatchObject({
      status: "running",
      progress: { done: 345, total: 1_000 },
      rows: { read: 1_010, customers: 1_000, repeatedInFile: 8, rejected: 2 },
      summary: { pool: 300, repeated: 40, default: 5, refused: 0 },
      problems: [{ line: 7, reason: "is empty" }],
      startedAt: expect.any(String),
    });
    expect(audience).not.toHaveProperty("downloadUrl");
    expect(audience).not.toHaveProperty("completedAt");
  });

  it("tell, once they are through, where the result is, under a name that says what it is", async () => {
    const run = await begun(await store(await world.aPromocode()));
    const objectKey = `audiences/${run.audienceId}/1.csv`;
    const { PutObjectCommand } = await import("@aws-sdk/client-s3");
    await world.s3.send(
      new PutObjectCommand({ Bucket: "exports-bucket", Key: objectKey, Body: "the result" }),
    );
    await audiences.complete(
      run,
      {
        rows: { read: 2, customers: 2, repeatedInFile: 0, rejected: 0 },
        counts: { pool: 1, repeated: 0, default: 1, refused: 0 },
        result: { objectKey, rows: 2, bytes: 10 },
      },
      new Date(),
    );

    const audience = await get(run.audienceId);
    const download = await fetch(audience.downloadUrl ?? "");

    expect(audience).toMatchObject({
      status: "succeeded",
      progress: { done: 2, total: 2 },
      completedAt: expect.any(String),
    });
    expect(await download.text()).toBe("the result");
    expect(download.headers.get("content-disposition")).toBe(
      `attachment; filename="${run.audienceId}-allocations-${audience.createdAt.slice(0, 10)}.csv"`,
    );
    expect(Date.parse(audience.downloadExpiresAt ?? "")).toBeLessThanOrEqual(Date.now() + 900_000);
  });

  it("tell what a preview found, in figures and in a sentence, and give out nothing", async () => {
    const run = await begun(await store(await world.aPromocode(), { mode: "preview" }));
    const preview = {
      customers: 118_204,
      held: 7_911,
      free: 92_000,
      missing: 18_293,
      sentence: "needs 118,204 codes, 7,911 already hold one, 92,000 free: short by 18,293",
    };
    await audiences.complete(
      run,
      { rows: { read: 118_204, customers: 118_204, repeatedInFile: 0, rejected: 0 }, preview },
      new Date(),
    );

    const audience = await get(run.audienceId);

    expect(audience).toMatchObject({
      status: "succeeded",
      preview,
      progress: { done: 118_204, total: 118_204 },
      summary: { pool: 0, repeated: 0, default: 0, refused: 0 },
    });
    expect(audience).not.toHaveProperty("downloadUrl");
  });

  it("tell why they failed, and still where the codes are that went out before", async () => {
    const [refused, stopped] = [
      await begun(await store(await world.aPromocode())),
      await begun(await store(await world.aPromocode())),
    ];
    const empty = { code: "empty-file", message: "The file holds no rows." } as const;
    const inactive = { code: "promotion-not-active", message: "The promotion was deactivated." } as const;
    await audiences.fail(refused, empty, {}, new Date());
    await audiences.complete(
      stopped,
      {
        counts: { pool: 3, repeated: 0, default: 0, refused: 2 },
        result: { objectKey: "audiences/x/1.csv", rows: 5, bytes: 99 },
        failure: inactive,
      },
      new Date(),
    );

    const [first, second] = [await get(refused.audienceId), await get(stopped.audienceId)];

    expect(first).toMatchObject({ status: "failed", failure: empty });
    expect(first).not.toHaveProperty("downloadUrl");
    expect(second).toMatchObject({ status: "failed", failure: inactive, summary: { pool: 3 } });
    expect(second.downloadUrl).toContain("audiences/x/1.csv");
  });

  it("are listed newest first, page by page, the dropped ones among the announced", async () => {
    const promocode = await world.aPromocode();
    const stored: string[] = [];
    for (const minutesAgo of [50, 40, 30, 20])
      stored.unshift((await store(promocode, { minutesAgo })).audienceId);
    await store(await world.aPromocode());
    const { audienceId } = (await announce(promocode.promocodeId)).body.audience;

    const { promocodeId } = promocode;
    const whole = await list(promocodeId);
    const first = await list(promocodeId, { limit: "2" });
    const second = await list(promocodeId, { limit: "2", cursor: first.nextCursor ?? "" });
    const third = await list(promocodeId, { limit: "2", cursor: second.nextCursor ?? "" });
    const idsOf = ({ items }: Page) => items.map((item) => item.audienceId);

    expect(idsOf(whole).slice(1)).toEqual(stored);
    expect(idsOf(whole)[0]).toBe(audienceId);
    expect([idsOf(first), idsOf(second), idsOf(third)].map(({ length }) => length)).toEqual([2, 2, 1]);
    expect([...idsOf(first), ...idsOf(second), ...idsOf(third)]).toEqual(idsOf(whole));
    expect([whole.nextCursor, third.nextCursor]).toEqual([undefined, undefined]);
    expect(whole.items.map(({ source }) => source)).toEqual(["upload", "drop", "drop", "drop", "drop"]);
  });

  it("are listed only to those who ask the right list", async () => {
    const [one, other] = [await world.aPromocode(), await world.aPromocode()];
    for (const promocode of [one, one, other, other]) await store(promocode);
    const { nextCursor = "" } = await list(one.promocodeId, { limit: "1" });

    const of = (promocodeId: string, cursor: string) =>
      refusal("listAudiences", { path: { promocodeId }, query: { cursor } });

    expect(await of(other.promocodeId, nextCursor)).toBe("invalid-cursor");
    expect(await of(one.promocodeId, "forged")).toBe("invalid-cursor");
    expect(await refusal("listAudiences", { path: { promocodeId: "nobody" } })).toBe("promocode-not-found");
  });

  it("are gone after seven days, from the list too, even before the table has removed them", async () => {
    const promocode = await world.aPromocode();
    const week = 7 * 24 * 60;
    const [old, young] = [
      await store(promocode, { minutesAgo: week + 1 }),
      await store(promocode, { minutesAgo: week - 1 }),
    ];

    expect(await refusal("getAudience", { path: { audienceId: old.audienceId } })).toBe("audience-not-found");
    expect((await get(young.audienceId)).status).toBe("queued");
    expect((await list(promocode.promocodeId)).items.map(({ audienceId }) => audienceId)).toEqual([
      young.audienceId,
    ]);
  });

  it("are stored with their entry in the list or not at all, and both expire", async () => {
    const { audienceId, promocodeId } = await store(await world.aPromocode());
    const { dynamoDb } = await import("../../shared/storage/client.ts");
    const { keys } = await import("../../shared/storage/table.ts");
    const itemAt = async (key: { pk: string; sk: string }) =>
      (await dynamoDb.send(new GetCommand({ TableName: world.tableName, Key: key }))).Item;

    const record = await itemAt(keys.audience(audienceId));
    const entry = await itemAt(keys.audienceOfPromocode(promocodeId, audienceId));

    expect(entry?.expiresAt).toBe(record?.expiresAt);
    expect(record?.expiresAt).toBeGreaterThan(Date.now() / 1000 + 6.9 * 86_400);
  });

  it("stay as they are when an event comes again", async () => {
    const promocode = await world.aPromocode();
    const stored = await store(promocode);
    await begun(stored);

    const again = await audiences.create({ ...stored, fileName: "other.csv" });

    expect(again).toMatchObject({ fileName: "dropped.csv", status: "running", attempt: 1 });
    expect((await list(promocode.promocodeId)).items).toHaveLength(1);
  });

  it("are not found under an id that is none", async () => {
    expect(await refusal("getAudience", { path: { audienceId: "aud_00000000000000000000000000" } })).toBe(
      "audience-not-found",
    );
    expect(await refusal("getAudience", { path: { audienceId: "exp_00000000000000000000000000" } })).toBe(
      "invalid-request",
    );
  });

  it("are followed with either scope, announced only with the one that hands out codes", async () => {
    const { promocodeId, promotionId } = await world.aPromocode();
    const { audienceId } = await store({ promocodeId, promotionId });
    const path = { promocodeId };

    expect(await refusal("createAudience", { path, body: { fileName: "a.csv" }, scopes: "read" })).toBe(
      "forbidden",
    );
    expect((await announce(promocodeId, {}, { scopes: "allocate" })).status).toBe(201);
    for (const scopes of ["read", "allocate"]) {
      expect((await call("getAudience", { path: { audienceId }, scopes })).status).toBe(200);
      expect((await call("listAudiences", { path, scopes })).status).toBe(200);
    }
  });
});
