import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Caller } from "../../../../bench/allocation/contender.ts";
import { takeTurns } from "../../../../bench/allocation/take-turns.ts";
import { customers } from "../../../support/codes.ts";

describe("taking turns", () => {
  it("asks for every customer once, with as many calls under way as there are callers", async () => {
    let underWay = 0;
    let most = 0;
    const caller: Caller = async (customerId) => {
      underWay += 1;
      most = Math.max(most, underWay);
      await sleep(1);
      underWay -= 1;
      return { code: `of ${customerId}` };
    };

    const { calls } = await takeTurns(Array(4).fill(caller), customers(20));

    expect(most).toBe(4);
    expect(calls.map(({ customerId }) => customerId).sort()).toEqual([...customers(20)].sort());
    expect(calls[0]?.answer).toEqual({ code: `of ${calls[0]?.customerId}` });
  });

  it("serves one call at a time by each caller", async () => {
    const callers = Array.from({ length: 3 }, (): Caller => {
      let isBusy = false;
      return async () => {
        if (isBusy) throw new Error("two calls at once");
        isBusy = true;
        await sleep(1);
        isBusy = false;
        return "dry";
      };
    });

    const { calls } = await takeTurns(callers, customers(12));

    expect(calls).toHaveLength(12);
  });

  it("ends once enough codes were given: nobody begins a call, and who tries for ever gives up", async () => {
    const quick: Caller = async () => ({ code: "X" });
    const stubborn: Caller = async (_, signal) => {
      while (!signal?.aborted) await sleep(1);
      return "given up";
    };

    const { calls } = await takeTurns([stubborn, quick], customers(1_000), { enough: 5 });

    const given = calls.filter(({ answer }) => answer !== "given up");
    expect(given).toHaveLength(5);
    expect(calls).toHaveLength(6);
  });
});
