import { allocateCodes } from "../../shared/allocation/allocate-codes.ts";
import type { AllocatedCodes } from "../../shared/contract/allocations.ts";
import { routes } from "../../shared/contract/routes.ts";
import { Failure } from "../../shared/domain/failure.ts";
import { assertActive } from "../../shared/domain/promotion.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { problemOf } from "../../shared/http/problem-answer.ts";
import { promocodeWithPromotion } from "../../shared/storage/promocodes.ts";

/** POST /v1/promocodes/{promocodeId}/allocations/batch: the same for up to 1,000 customers. */
export const handler = apiHandler(
  routes.allocateCodes,
  async ({ path, body, idempotencyKey, now, requestId }) => {
    const { promocode, promotion } = await promocodeWithPromotion(path.promocodeId);
    assertActive(promotion);

    const answers = await allocateCodes(promocode, body.allocations, { idempotencyKey, now });

    const summary: AllocatedCodes["summary"] = { pool: 0, repeated: 0, default: 0, failed: 0 };
    const results = answers.map((answer, at) => {
      if (answer instanceof Failure) {
        summary.failed += 1;
        return { customerId: body.allocations[at]!.customerId, problem: problemOf(answer, requestId) };
      }
      if (answer.repeated) summary.repeated += 1;
      else if (answer.source === "pool") summary.pool += 1;
      else summary.default += 1;
      return answer;
    });
    return ok({ results, summary });
  },
);
