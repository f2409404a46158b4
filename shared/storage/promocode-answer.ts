import type { PoolCounts, Promocode } from "../contract/promocodes.ts";
import type { StoredPromocode } from "../domain/promocode.ts";
import { poolCounts } from "./pool-counts.ts";

/** Promocodes of a page whose counts are read at the same time. */
const atOnce = 16;

/** The promocode as the API tells it: without salt, base and generation, with the counts of its pool. */
export const promocodeAnswer = async (promocode: StoredPromocode, now: Date): Promise<Promocode> =>
  promocode.type === "global"
    ? describePromocode(promocode)
    : describePromocode(promocode, await poolCounts(promocode.promocodeId, now));

/** The same for a page, in its order. */
export const promocodeAnswers = async (
  promocodes: readonly StoredPromocode[],
  now: Date,
): Promise<Promocode[]> => {
  const answers: Promocode[] = [];
  for (let start = 0; start < promocodes.length; start += atOnce) {
    const some = promocodes.slice(start, start + atOnce);
    answers.push(...(await Promise.all(some.map((promocode) => promocodeAnswer(promocode, now)))));
  }
  return answers;
};

const describePromocode = (promocode: StoredPromocode, pool?: PoolCounts): Promocode => {
  const { promocodeId, promotionId, type, createdAt, updatedAt } = promocode;
  const common = { promocodeId, promotionId, type };
  const times = { createdAt, updatedAt };
  return promocode.type === "global"
    ? { ...common, code: promocode.code, ...times }
    : { ...common, uniqueCodes: promocode.uniqueCodes, ...(pool && { pool }), ...times };
};
