import { describe, expect, it } from "vitest";
import { problemByCode } from "../../../shared/contract/problems.ts";
import * as failures from "../../../shared/domain/failures.ts";

/** What only API Gateway answers, without a function of ours. */
const answeredByTheGateway = ["bad-gateway", "gateway-timeout", "too-many-requests"];

const made = [
  failures.malformedJson(),
  failures.invalidRequest("The body does not match the contract: see errors."),
  failures.invalidCursor(),
  failures.unauthorized(),
  failures.forbidden(["admin", "read"]),
  failures.pathNotFound(),
  failures.promotionNotFound("prm_1"),
  failures.promocodeNotFound("pcd_1"),
  failures.codeFileNotFound("fil_1"),
  failures.codeNotFound(),
  failures.exportNotFound("exp_1"),
  failures.audienceNotFound("aud_1"),
  failures.erasureNotFound("era_1"),
  failures.methodNotAllowed("PUT", ["GET"]),
  failures.idTaken("mine"),
  failures.codeTaken(),
  failures.promotionArchived("prm_1"),
  failures.promotionNotActive("prm_1", "draft"),
  failures.poolExhausted("pcd_1"),
  failures.notPersonalized("pcd_1"),
  failures.codeFileLoading("fil_1"),
  failures.requestInProgress(),
  failures.bodyTooLarge(1_000_000),
  failures.unsupportedMediaType(),
  failures.idempotencyKeyReused(),
  failures.unavailable(),
  failures.internalError(),
];

describe("failures", () => {
  it("exist for every problem that a function can answer", () => {
    expect(made.map(({ code }) => code).sort()).toEqual(
      Object.keys(problemByCode)
        .filter((code) => !answeredByTheGateway.includes(code))
        .sort(),
    );
  });

  it.each(made.map((failure) => [failure.code, failure.message]))(
    "of %s are told in sentences",
    (_, message) => {
      expect(message).toMatch(/^[A-Z].*\.$/);
      expect(message.length).toBeGreaterThan(20);
    },
  );
});
