import { routes } from "../../shared/contract/routes.ts";
import { accepted } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { erasureAnswer } from "../../shared/storage/erasure-answer.ts";
import { requestErasure } from "./request-erasure.ts";

/** DELETE /v1/customers/{customerId}: asks for the erasure of a person, known or not. */
export const handler = apiHandler(routes.eraseCustomer, async ({ path, freshUlid, now }) => {
  const erasure = await requestErasure(path.customerId, freshUlid, now);

  return accepted(erasureAnswer(erasure), `/v1/erasures/${erasure.erasureId}`);
});
