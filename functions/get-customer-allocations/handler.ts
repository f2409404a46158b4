import { type Holding, holdingsOverAll } from "../../shared/allocation/holdings-over-all.ts";
import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { decodeCursor, encodeCursor } from "../../shared/storage/cursors.ts";

/** GET /v1/customers/{customerId}/allocations: what a customer holds of all promocodes. */
export const handler = apiHandler(routes.getCustomerAllocations, async ({ path, query }) => {
  const { limit, cursor } = query;
  const list = `holdings ${path.customerId}`;
  const after = cursor === undefined ? undefined : await decodeCursor(list, cursor);

  const { holdings, next } = await holdingsOverAll(path.customerId, { after, limit });

  const items = holdings.map(({ allocation }: Holding) => allocation);
  return ok(next === undefined ? { items } : { items, nextCursor: await encodeCursor(list, next) });
});
