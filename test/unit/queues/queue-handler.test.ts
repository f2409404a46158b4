import { describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { logger } from "../../../shared/http/logger.ts";
import { queueHandler } from "../../../shared/queues/queue-handler.ts";

const aMessage = (messageId: string, body: string, receives = 1) => ({
  messageId,
  body,
  attributes: { ApproximateReceiveCount: String(receives) },
});
const context = { getRemainingTimeInMillis: () => 1_000 };
const message = z.object({ name: z.string() });

describe("a queue's handler", () => {
  it("hands over each message with how often it may still come", async () => {
    const seen: unknown[] = [];
    const handler = queueHandler(message, async ({ name }, { isLast, triesAreOver, timeLeftMs }) => {
      seen.push([name, isLast, triesAreOver, timeLeftMs()]);
    });

    const answer = await handler(
      {
        Records: [
          aMessage("1", '{"name":"a"}', 4),
          aMessage("2", '{"name":"b"}', 5),
          aMessage("3", '{"name":"c"}', 6),
        ],
      },
      context,
    );

    expect(answer).toEqual({ batchItemFailures: [] });
    expect(seen).toEqual([
      ["a", false, false, 1_000],
      ["b", true, false, 1_000],
      ["c", true, true, 1_000],
    ]);
  });

  it("gives back only the messages that failed, and logs nothing of what they hold", async () => {
    const logged = vi.spyOn(logger, "error").mockImplementation(() => {});
    const handler = queueHandler(message, async ({ name }) => {
      if (name === "bad") throw Object.assign(new Error("refused"), { Item: { u: ["customer-1"] } });
    });

    const answer = await handler(
      {
        Records: [
          aMessage("1", '{"name":"bad"}'),
          aMessage("2", '{"name":"good"}'),
          aMessage("3", "customer-1 {"),
          aMessage("4", '{"other":"customer-1"}'),
        ],
      },
      context,
    );

    expect(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual(["1", "3", "4"]);
    expect(logged).toHaveBeenCalledTimes(3);
    expect(JSON.stringify(logged.mock.calls)).not.toContain("customer-1");
    logged.mockRestore();
  });
});
