import { promocodes } from "../../shared/storage/promocodes.ts";
import { promocodesAfter } from "../../shared/storage/promocodes-after.ts";
import { UsageError } from "../keys/arguments.ts";

const pageSize = 100;

/** Ids of the promocodes that have pools, all of them or the one that is named, and of those that have none. */
export const promocodesToWalk = async (
  promocodeId: string | undefined,
): Promise<{ readonly promocodes: readonly string[]; readonly global: readonly string[] }> => {
  if (promocodeId !== undefined) {
    const { type } = await promocodes.get(promocodeId);
    if (type === "global") throw new UsageError(`${promocodeId} is global: it has no pool of its own.`);
    return { promocodes: [promocodeId], global: [] };
  }
  const personalized: string[] = [];
  const global: string[] = [];
  let after: string | undefined;
  do {
    const page = await promocodesAfter(after, { limit: pageSize, inclusive: false });
    for (const each of page.promocodes)
      (each.type === "global" ? global : personalized).push(each.promocodeId);
    after = page.lastId;
  } while (after !== undefined);
  return { promocodes: personalized, global };
};
