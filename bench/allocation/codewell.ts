import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { holderOf } from "../../shared/pool/cell.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { parseSalt } from "../../shared/pool/hash.ts";
import { allocate } from "../../shared/pool/placement.ts";
import { newPool } from "../../shared/pool/pool.ts";
import { cellsOfShard } from "../../shared/storage/cells.ts";
import { contextIdOf } from "../../shared/storage/contexts.ts";
import { generationsOf } from "../../shared/storage/generations.ts";
import { dynamoPoolStore } from "../../shared/storage/pool-store.ts";
import { aPromocode } from "../lib/bench-promocode.ts";
import type { Caller, Contender, Stock } from "./contender.ts";
import { publishCodes } from "./publish-codes.ts";
import { takeTurns } from "./take-turns.ts";

const theSend = { occurenceId: "send-2026-11-23", seriesId: "autumn", actionId: null };

/** Ours: the real allocation over the real store. */
export const codewell = (): Contender => {
  let promocode: PersonalizedPromocode;
  let generations: readonly Generation[] = [];
  let contextId = "";

  /** Begins with what `poolOf` takes from a promocode just read: its generations and its base. */
  const newCaller = (): Caller => {
    const { promocodeId, salt } = promocode;
    const store = dynamoPoolStore(promocodeId);
    const pool = newPool({ store, salt: parseSalt(salt), generations, base: 1 });
    return async (customerId) => {
      const placement = await allocate(pool, {
        holder: { customerId, trigger: null },
        stamp: { at: Date.now(), contextId },
      });
      return placement ? { code: placement.cell.codes[placement.slot]! } : "dry";
    };
  };

  return {
    name: "codewell",

    async prepare(codes) {
      promocode = await aPromocode();
      const generation = await publishCodes(promocode, codes);
      generations = [generation];
      contextId = await contextIdOf(promocode.promocodeId, theSend);
      // What the pool's very first call does, once in its life.
      await dynamoPoolStore(promocode.promocodeId).setBase(generation.number);
    },

    newCaller,

    // By these callers' own calls: what remains in the table and in their memory is what a life until then leaves.
    fill: async (customers, callers) => (await takeTurns(callers, customers)).calls,

    async stock(): Promise<Stock> {
      const { promocodeId } = promocode;
      const holderByCode = new Map<string, string>();
      let free = 0;
      for (const generation of await generationsOf(promocodeId))
        for (let shard = 0; shard < generation.shards; shard += 1)
          for await (const page of cellsOfShard(promocodeId, generation, shard))
            for (const cell of page) {
              free += cell.capacity - cell.tokens.length;
              for (const [slot, token] of cell.tokens.entries())
                holderByCode.set(cell.codes[slot]!, holderOf(token).customerId);
            }
      return { free, holderByCode };
    },
  };
};
