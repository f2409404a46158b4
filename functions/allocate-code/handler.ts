import { allocateCode } from "../../shared/allocation/allocate-codes.ts";
import { routes } from "../../shared/contract/routes.ts";
import { Failure } from "../../shared/domain/failure.ts";
import { assertActive } from "../../shared/domain/promotion.ts";
import { created, ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promocodeWithPromotion } from "../../shared/storage/promocodes.ts";

/** POST /v1/promocodes/{promocodeId}/allocations: gives a customer a code, or the one they hold. */
export const handler = apiHandler(routes.allocateCode, async ({ path, body, idempotencyKey, now }) => {
  const { promocode, promotion } = await promocodeWithPromotion(path.promocodeId);
  assertActive(promotion);

  const allocation = await allocateCode(promocode, body, { idempotencyKey, now });

  if (allocation instanceof Failure) throw allocation;
  return allocation.repeated || allocation.source === "global" ? ok(allocation) : created(allocation);
});
