import { describe, expect, it } from "vitest";
import { DirectError, directRequest, mayTakeEffect, passes } from "../../../shared/storage/direct-request.ts";
import { answer, startScriptedDynamoDb } from "../../support/scripted-dynamodb.ts";

const exceptionNamed = (status: number, name: string) =>
  new DirectError(status, { __type: `com.amazonaws.dynamodb.v20120810#${name}` });
const networkError = (code: string) => Object.assign(new Error(code), { code });

describe("an error of a direct request", () => {
  it.each([
    [exceptionNamed(400, "ThrottlingException")],
    [exceptionNamed(400, "Throttling")],
    [exceptionNamed(400, "ProvisionedThroughputExceededException")],
    [exceptionNamed(400, "RequestLimitExceeded")],
    [exceptionNamed(400, "LimitExceededException")],
    [networkError("ECONNREFUSED")],
    [networkError("EAI_AGAIN")],
    [networkError("ENOTFOUND")],
    [networkError("EHOSTUNREACH")],
    [networkError("ENETUNREACH")],
    [networkError("UND_ERR_CONNECT_TIMEOUT")],
  ])("passes, and nothing was done: %s", (error) => {
    expect(passes(error)).toBe(true);
    expect(mayTakeEffect(error)).toBe(false);
  });

  it.each([
    [exceptionNamed(500, "InternalServerError")],
    [exceptionNamed(503, "ServiceUnavailable")],
    [networkError("ECONNRESET")],
    [networkError("EPIPE")],
    [networkError("ETIMEDOUT")],
    [networkError("UND_ERR_SOCKET")],
    [networkError("UND_ERR_HEADERS_TIMEOUT")],
    [networkError("UND_ERR_BODY_TIMEOUT")],
    [networkError("UND_ERR_RES_CONTENT_LENGTH_MISMATCH")],
    [Object.assign(new Error("no HTTP"), { name: "HTTPParserError" })],
    [new SyntaxError("half an answer")],
  ])("passes, and it may have been done: %s", (error) => {
    expect(passes(error)).toBe(true);
    expect(mayTakeEffect(error)).toBe(true);
  });

  it.each([
    [exceptionNamed(400, "ValidationException")],
    [exceptionNamed(400, "ResourceNotFoundException")],
    [exceptionNamed(400, "AccessDeniedException")],
    [exceptionNamed(400, "ExpiredTokenException")],
    [new DirectError(403, { message: "403: <html>" })],
    [networkError("CERT_HAS_EXPIRED")],
    [new TypeError("a defect of ours")],
  ])("does not pass: %s", (error) => {
    expect(passes(error)).toBe(false);
  });
});

describe("a direct request", () => {
  it("to a port where nobody listens was never sent", async () => {
    const gone = await startScriptedDynamoDb(answer(200, {}));
    gone.close();

    const error = await directRequest("UpdateItem", {}).catch((reason: Error) => reason);

    expect(error).toMatchObject({ code: "ECONNREFUSED" });
  });
});
