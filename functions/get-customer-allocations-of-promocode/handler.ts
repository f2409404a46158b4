import { holdingsOf, positionOf } from "../../shared/allocation/holdings.ts";
import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { decodeCursor, encodeCursor } from "../../shared/storage/cursors.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/** GET /v1/promocodes/{promocodeId}/allocations?customerId=: what a customer holds of a promocode. */
export const handler = apiHandler(routes.getCustomerAllocationsOfPromocode, async ({ path, query }) => {
  const { customerId, limit, cursor } = query;
  const list = `holdings ${path.promocodeId} ${customerId}`;
  const after = cursor === undefined ? "" : await decodeCursor(list, cursor);
  const promocode = await promocodes.get(path.promocodeId);
  if (promocode.type === "global") return ok({ items: [] });

  const rest = (await holdingsOf(promocode, customerId)).filter((held) => positionOf(held) > after);
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return rest.length > items.length && last
    ? ok({ items, nextCursor: await encodeCursor(list, positionOf(last)) })
    : ok({ items });
});
