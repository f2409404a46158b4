import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { handler } from "../../../functions/report-health/handler.ts";
import packageJson from "../../../package.json" with { type: "json" };
import { dynamoDb } from "../../../shared/storage/client.ts";
import { callApi, refusedApiCall } from "../../support/api-call.ts";

process.env.TABLE_NAME = "table";
const table = mockClient(dynamoDb);
beforeEach(() => table.reset());

describe("the health report", () => {
  it("is well when the table answers, even with nothing", async () => {
    table.on(GetCommand).resolves({});

    const { status, body } = await callApi(handler, "reportHealth");

    expect(status).toBe(200);
    expect(body).toEqual({ status: "ok", version: packageJson.version, time: expect.any(String) });
  });

  it("is 503 when the table refuses, whatever the reason", async () => {
    table.on(GetCommand).rejects(new Error("AccessDeniedException"));

    const { status, headers, body } = await refusedApiCall(handler, "reportHealth");

    expect([status, body.code, headers["retry-after"]]).toEqual([503, "unavailable", "1"]);
  });

  it("is 503 after two seconds when the table says nothing at all", async () => {
    let connections = 0;
    const silent = createServer(() => {
      connections += 1;
    }).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    vi.stubEnv("AWS_ENDPOINT_URL_DYNAMODB", `http://127.0.0.1:${port}`);
    vi.stubEnv("AWS_REGION", "us-east-1");
    vi.stubEnv("AWS_ACCESS_KEY_ID", "id");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
    table.restore();
    const started = performance.now();

    const { status, body } = await refusedApiCall(handler, "reportHealth");

    expect([status, body.code]).toEqual([503, "unavailable"]);
    expect(performance.now() - started).toBeGreaterThan(1_900);
    // Before the SDK's own time-out, after which it would have tried again.
    expect(connections).toBe(1);
    silent.close();
    vi.unstubAllEnvs();
  });
});
