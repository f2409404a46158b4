import { describe, expect, it } from "vitest";
import { inOrder } from "../../../../functions/build-export/in-order.ts";

const pause = (milliseconds: number) => new Promise<void>((done) => setTimeout(done, milliseconds));

const collect = async <Item>(items: AsyncIterable<Item>): Promise<Item[]> => {
  const collected: Item[] = [];
  for await (const item of items) collected.push(item);
  return collected;
};

describe("tasks worked off in order", () => {
  it("are answered in their order, whichever ends first", async () => {
    const tasks = [20, 1, 10].map((milliseconds) => async () => {
      await pause(milliseconds);
      return milliseconds;
    });

    expect(await collect(inOrder(tasks, 3))).toEqual([20, 1, 10]);
  });

  it("are under way up to the limit, never more", async () => {
    let underWay = 0;
    let most = 0;
    const task = async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await pause(1);
      underWay -= 1;
    };

    await collect(
      inOrder(
        Array.from({ length: 30 }, () => task),
        4,
      ),
    );

    expect(most).toBe(4);
  });

  it("wait for a slow taker", async () => {
    let begun = 0;
    const tasks = Array.from({ length: 50 }, () => async () => {
      begun += 1;
    });

    const answers = inOrder(tasks, 4);
    await answers.next();
    await pause(5);

    expect(begun).toBe(4);
  });

  it("pass a failure on, and leave none unhandled when the taker goes", async () => {
    const tasks = [
      async () => 1,
      async () => {
        throw new Error("second");
      },
      async () => {
        throw new Error("third");
      },
    ];

    await expect(collect(inOrder(tasks, 3))).rejects.toThrow("second");
    for await (const answer of inOrder(tasks, 3)) {
      expect(answer).toBe(1);
      break;
    }
  });

  it("are none when there are none", async () => {
    expect(await collect(inOrder([], 4))).toEqual([]);
  });
});
