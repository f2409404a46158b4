import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { CodeFile } from "../../shared/contract/code-files.ts";
import type { RouteName } from "../../shared/contract/routes.ts";
import type { ApiHandler } from "../../shared/http/api-handler.ts";
import { type CallOptions, callApi, refusedApiCall } from "../support/api-call.ts";
import { engines } from "../support/engines.ts";
import { aLoaderWorld, type LoaderWorld, numbered } from "./loader-world.ts";

interface Created {
  readonly file: CodeFile;
  readonly upload: {
    readonly url: string;
    readonly fields: Readonly<Record<string, string>>;
    readonly maxBytes: number;
    readonly expiresAt: string;
  };
}

describe.each(engines)("code files on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let world: LoaderWorld;
  let handlers: Partial<Record<RouteName, ApiHandler>>;

  beforeAll(async () => {
    engine = await start();
    world = await aLoaderWorld(engine);
    handlers = {
      createCodeFile: (await import("../../functions/create-code-file/handler.ts")).handler,
      getCodeFile: (await import("../../functions/get-code-file/handler.ts")).handler,
      listCodeFiles: (await import("../../functions/list-code-files/handler.ts")).handler,
      withdrawCodeFile: (await import("../../functions/withdraw-code-file/handler.ts")).handler,
    };
  });
  beforeEach(() => void world.sentMessages());
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  const handlerOf = (name: RouteName): ApiHandler => {
    const handler = handlers[name];
    if (!handler) throw new Error(`no handler for ${name}`);
    return handler;
  };
  const call = <Body = CodeFile>(name: RouteName, options?: CallOptions) =>
    callApi<Body>(handlerOf(name), name, options);
  const refusal = (name: RouteName, options?: CallOptions) => refusedApiCall(handlerOf(name), name, options);
  const announce = async (promocodeId: string, fileName = "autumn codes.csv", more: CallOptions = {}) =>
    call<Created>("createCodeFile", { path: { promocodeId }, body: { fileName }, ...more });
  const send = async ({ upload }: Created, content: string, contentType?: string) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(upload.fields)) form.set(name, value);
    if (contentType) form.set("Content-Type", contentType);
    form.set("file", new Blob([content]), "whatever.csv");
    return fetch(upload.url, { method: "POST", body: form });
  };

  it("are announced, uploaded by a presigned form and loaded", async () => {
    const { promocodeId } = await world.aPromocode();

    const created = await announce(promocodeId);

    expect(created.status).toBe(201);
    const { file, upload } = created.body;
    expect(created.headers.location).toBe(`/dev/v1/promocodes/${promocodeId}/files/${file.fileId}`);
    expect(file).toEqual({
      fileId: expect.stringMatching(/^fil_[0-9A-HJKMNP-TV-Z]{26}$/),
      promocodeId,
      fileName: "autumn codes.csv",
      source: "upload",
      status: "awaiting-upload",
      rowsRead: 0,
      codes: 0,
      duplicatesInFile: 0,
      duplicatesInPool: 0,
      rejected: 0,
      header: null,
      allocated: 0,
      available: 0,
      problems: [],
      createdAt: expect.any(String),
    });
    expect(upload.maxBytes).toBe(500 * 1024 * 1024);
    expect(Date.parse(upload.expiresAt) - Date.parse(file.createdAt)).toBeGreaterThan(898_000);

    expect((await send(created.body, "code\nA1\nB2\n")).status).toBe(204);
    const { HeadObjectCommand } = await import("@aws-sdk/client-s3");
    const key = `uploads/${promocodeId}/${file.fileId}.csv`;
    const { VersionId = "" } = await world.s3.send(
      new HeadObjectCommand({ Bucket: "uploads-bucket", Key: key }),
    );
    await world.deliver(world.eventOf({ key, versionId: VersionId }));

    const loaded = await call("getCodeFile", { path: { promocodeId, fileId: file.fileId } });
    expect(loaded.status).toBe(200);
    expect(loaded.body).toEqual({
      ...file,
      status: "ready",
      rowsRead: 2,
      codes: 2,
      header: "code",
      available: 2,
      loadedAt: expect.any(String),
    });
  });

  it("cannot be uploaded under another key; even an empty one can be, so that its record says what is wrong", async () => {
    const { promocodeId } = await world.aPromocode();
    const { body } = await announce(promocodeId);
    const other = { ...body.upload.fields, key: `uploads/${promocodeId}/other.csv` };

    expect((await send({ ...body, upload: { ...body.upload, fields: other } }, "A1")).status).toBe(403);
    expect((await send(body, "")).status).toBe(204);
    expect((await send(body, "A1", "application/vnd.ms-excel")).status).toBe(204);
  });

  it("are announced once for all tries with the same Idempotency-Key", async () => {
    const { promocodeId } = await world.aPromocode();
    const headers = { "Idempotency-Key": crypto.randomUUID() };

    const first = await announce(promocodeId, "a.csv", { headers });
    const second = await announce(promocodeId, "a.csv", { headers });

    expect(second.body.file.fileId).toBe(first.body.file.fileId);
    expect(await world.files({ promocodeId })).toHaveLength(1);
  });

  it("are refused where they make no sense", async () => {
    const promotion = await world.aPromotion();
    const { promocodeId } = await world.aPromocode(promotion);
    const { promocodes } = await import("../../shared/storage/promocodes.ts");
    const { promotions } = await import("../../shared/storage/promotions.ts");
    const { promotionId } = await world.aPromotion();
    const globalId = `pcd_${crypto.randomUUID()}`;
    const times = { createdAt: "2026-11-23T00:00:00.000Z", updatedAt: "2026-11-23T00:00:00.000Z" };
    await promocodes.create(
      { promocodeId: globalId, promotionId, type: "global", code: globalId, ...times },
      globalId,
    );
    await promotions.setStatus(promotion.promotionId, "archived", new Date());
    const codeOf = async (id: string, fileName = "a.csv") =>
      (await refusal("createCodeFile", { path: { promocodeId: id }, body: { fileName } })).body.code;

    expect(await codeOf("nobody")).toBe("promocode-not-found");
    expect(await codeOf(globalId)).toBe("not-personalized");
    expect(await codeOf(promocodeId)).toBe("promotion-archived");
    expect(await codeOf(globalId, "codes.xlsx")).toBe("invalid-request");
  });

  it("tell their refused rows, and where all of them are when there are more than 20", async () => {
    const promocode = await world.aPromocode();
    const { promocodeId } = promocode;
    const few = await world.load(promocode, "A1\nB 2\n");
    const many = await world.load(promocode, ["C3", ...numbered(30, "bad ")].join("\n"), "many.csv");

    const fewAnswer = await call("getCodeFile", { path: { promocodeId, fileId: few.fileId } });
    const manyAnswer = await call("getCodeFile", { path: { promocodeId, fileId: many.fileId } });

    expect(fewAnswer.body.problems).toEqual([{ line: 2, reason: "has a blank inside" }]);
    expect(fewAnswer.body.rejectsUrl).toBeUndefined();
    expect(manyAnswer.body.problems).toHaveLength(20);
    const download = await fetch(manyAnswer.body.rejectsUrl ?? "");
    expect(download.headers.get("content-disposition")).toContain(`rejected-rows-${many.fileId}.csv`);
    expect((await download.text()).trim().split("\n")).toHaveLength(31);
  });

  it("tell why they failed", async () => {
    const promocode = await world.aPromocode();
    const { promocodeId } = promocode;
    const { fileId } = await world.load(promocode, "A1,B2\n");

    const { body } = await call("getCodeFile", { path: { promocodeId, fileId } });

    expect(body).toMatchObject({
      status: "failed",
      failure: { code: "ambiguous-columns", message: expect.stringContaining("Name exactly one") },
    });
  });

  it("are listed in the order in which they came, page by page", async () => {
    const promocode = await world.aPromocode();
    const { promocodeId } = promocode;
    for (const name of ["1.csv", "2.csv", "3.csv"]) await announce(promocodeId, name);
    await world.load(promocode, "A1\n", "dropped.csv");
    type Page = { readonly items: readonly CodeFile[]; readonly nextCursor?: string };
    const list = (query: Record<string, string>) =>
      call<Page>("listCodeFiles", { path: { promocodeId }, query });

    const whole = (await list({})).body;
    const first = (await list({ limit: "3" })).body;
    const second = (await list({ limit: "3", cursor: first.nextCursor ?? "" })).body;

    expect(whole.items).toHaveLength(4);
    expect(whole.nextCursor).toBeUndefined();
    expect([...first.items, ...second.items].map(({ fileId }) => fileId)).toEqual(
      whole.items.map(({ fileId }) => fileId),
    );
    expect(whole.items.map(({ fileId }) => fileId)).toEqual(whole.items.map(({ fileId }) => fileId).sort());
    expect(second.nextCursor).toBeUndefined();
    expect(
      (await refusal("listCodeFiles", { path: { promocodeId }, query: { cursor: "forged" } })).body.code,
    ).toBe("invalid-cursor");
  });

  it("are withdrawn: the answer says so, and the sealing is asked for", async () => {
    const promocode = await world.aPromocode();
    const { promocodeId } = promocode;
    const { fileId } = await world.load(promocode, "A1\nB2\n");

    const { status, body } = await call("withdrawCodeFile", { path: { promocodeId, fileId } });

    expect(status).toBe(202);
    expect(body).toMatchObject({ fileId, status: "withdrawing", codes: 2, available: 0 });
    expect(world.sentMessages()).toEqual([
      { queue: "withdrawals", message: { promocodeId, fileId }, delaySeconds: 0 },
    ]);
  });

  it("are not found in another promocode", async () => {
    const { promocodeId } = await world.aPromocode();
    const other = await world.aPromocode();
    const { fileId } = await world.load(other, "A1\n");

    for (const name of ["getCodeFile", "withdrawCodeFile"] as const) {
      expect((await refusal(name, { path: { promocodeId, fileId } })).body.code).toBe("code-file-not-found");
      expect((await refusal(name, { path: { promocodeId: "nobody", fileId } })).body.code).toBe(
        "promocode-not-found",
      );
    }
  });
});
