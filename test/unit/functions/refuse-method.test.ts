import type { APIGatewayProxyEvent } from "aws-lambda";
import { describe, expect, it } from "vitest";
import { handler } from "../../../functions/refuse-method/handler.ts";

const refusal = async (httpMethod: string, resource: string) => {
  const event = { httpMethod, resource, requestContext: { requestId: "request-1" } };
  const { statusCode, headers, body } = await handler(event as unknown as APIGatewayProxyEvent);
  return { statusCode, headers, problem: JSON.parse(body) };
};

describe("a method that a path does not answer", () => {
  it("is refused with the methods that it does answer", async () => {
    const { statusCode, headers, problem } = await refusal("PUT", "/v1/promotions/{promotionId}");

    expect(statusCode).toBe(405);
    expect(headers).toMatchObject({
      Allow: "GET, PATCH, DELETE",
      "Content-Type": "application/problem+json",
    });
    expect(problem).toEqual({
      type: "urn:codewell:problem:method-not-allowed",
      title: "This path does not answer that method",
      status: 405,
      detail: "This path does not answer PUT. It answers GET, PATCH, DELETE.",
      instance: "request-1",
      code: "method-not-allowed",
    });
  });

  it("is 404 on a path that answers nothing", async () => {
    const { statusCode, problem } = await refusal("GET", "/v1");

    expect([statusCode, problem.code]).toEqual([404, "not-found"]);
  });
});
