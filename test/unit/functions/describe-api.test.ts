import { describe, expect, it } from "vitest";
import { handler } from "../../../functions/describe-api/handler.ts";
import committed from "../../../openapi.json" with { type: "json" };
import { callApi } from "../../support/api-call.ts";

describe("the API's description", () => {
  it("is served whole", async () => {
    const { status, headers, body } = await callApi(handler, "describeApi");

    expect([status, headers["content-type"]]).toEqual([200, "application/json"]);
    expect(body).toEqual(committed);
  });
});
