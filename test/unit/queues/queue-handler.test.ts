import { afterEach, describe, expect, it, vi } from "vitest";
import * as z from "zod";
import { logger } from "../../../shared/http/logger.ts";
import { queueHandler } from "../../../shared/queues/queue-handler.ts";
import { metricLinesOf } from "../../support/metric-lines.ts";

const aMessage = (messageId: string, body: string, receives = 1) => ({
  messageId,
  body,
  attributes: { ApproximateReceiveCount: String(receives) },
});
vi.mock("../../../shared/events/publish-events.ts", () => ({ publishEvents: vi.fn() }));

const context = { getRemainingTimeInMillis: () => 1_000 };
const message = z.object({ name: z.string() });

const info = vi.spyOn(logger, "info").mockImplementation(() => {});
const error = vi.spyOn(logger, "error").mockImplementation(() => {});
afterEach(() => vi.clearAllMocks());

describe("a queue's handler", () => {
  it("hands over each message with how often it may still come", async () => {
    const seen: unknown[] = [];
    const handler = queueHandler("build-export", message, async ({ name }, delivery) => {
      const { isLast, triesAreOver, timeLeftMs } = delivery;
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

  it("tells of a message that goes to the dead letters, and of no other", async () => {
    const { publishEvents } = await import("../../../shared/events/publish-events.ts");
    const handler = queueHandler("load-code-file", message, async () => {
      throw new Error("again");
    });
    const eventSourceARN = "arn:aws:sqs:eu-west-1:111122223333:the-queue";

    await handler({ Records: [{ ...aMessage("1", '{"name":"a"}', 5), eventSourceARN }] }, context);
    expect(publishEvents).not.toHaveBeenCalled();
    await handler({ Records: [{ ...aMessage("2", '{"name":"a"}', 6), eventSourceARN }] }, context);
    vi.mocked(publishEvents).mockRejectedValueOnce(new Error("down"));
    const answer = await handler(
      { Records: [{ ...aMessage("3", '{"name":"a"}', 6), eventSourceARN }] },
      context,
    );

    expect(vi.mocked(publishEvents).mock.calls.map(([[event]]) => event)).toMatchObject([
      { name: "DeadLetter", detail: { queue: "the-queue", messageId: "2", deliveries: 6 } },
      { name: "DeadLetter", detail: { messageId: "3" } },
    ]);
    expect(answer.batchItemFailures).toEqual([{ itemIdentifier: "3" }]);
    expect(error).toHaveBeenLastCalledWith(
      "A dead letter is not told",
      expect.objectContaining({ messageId: "3" }),
    );
  });

  it("gives back only the messages that failed, and logs nothing of what they hold", async () => {
    const handler = queueHandler("build-export", message, async ({ name }) => {
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
    expect(error).toHaveBeenCalledTimes(3);
    expect(JSON.stringify(error.mock.calls)).not.toContain("customer-1");
  });
});

describe("a job's log", () => {
  it("has one line for each piece of work: ids, outcome, counts, milliseconds, delivery", async () => {
    const handler = queueHandler("load-code-file", message, async (_, __, track) => {
      await track({ fileId: "fil_1" }, async () => ({ outcome: "loaded", codes: 12 }));
      await track({ fileId: "fil_2" }, async () => ({ outcome: "nothing to do" }));
    });

    await handler({ Records: [aMessage("m1", '{"name":"a"}', 2)] }, context);

    const common = { job: "load-code-file", messageId: "m1", receives: 2, durationMs: expect.any(Number) };
    expect(info.mock.calls).toEqual([
      ["worked", { ...common, fileId: "fil_1", outcome: "loaded", codes: 12 }],
      ["worked", { ...common, fileId: "fil_2", outcome: "nothing to do" }],
    ]);
    expect(error).not.toHaveBeenCalled();
  });

  it("says of a piece of work that broke off which one it was and why, in one line", async () => {
    const handler = queueHandler("load-code-file", message, async (_, __, track) => {
      await track({ fileId: "fil_1" }, async () => ({ outcome: "loaded", codes: 12 }));
      await track({ fileId: "fil_2" }, async () => {
        throw new Error("the disk is full");
      });
    });

    await handler({ Records: [aMessage("m1", '{"name":"a"}', 5)] }, context);

    expect(info).toHaveBeenCalledTimes(1);
    expect(error.mock.calls).toEqual([
      [
        "failed",
        {
          job: "load-code-file",
          messageId: "m1",
          receives: 5,
          fileId: "fil_2",
          durationMs: expect.any(Number),
          outcome: "failed",
          error: expect.objectContaining({ name: "Error", message: "the disk is full" }),
        },
      ],
    ]);
  });
});

describe("a job's metrics", () => {
  const measured = async (job: Parameters<typeof queueHandler>[0], report: { outcome: string } | Error) => {
    const lines = await metricLinesOf(async () => {
      const { queueHandler: handlerOf } = await import("../../../shared/queues/queue-handler.ts");
      const handler = handlerOf(job, message, (_, __, track) =>
        track({}, async () => {
          if (report instanceof Error) throw report;
          return report;
        }),
      );
      await handler({ Records: [aMessage("m1", '{"name":"a"}')] }, context);
    });
    return lines.map(({ _aws, service, ...values }) => values);
  };

  it.each([
    [
      "load-code-file",
      { outcome: "loaded", codes: 12 },
      { LoadDuration: expect.any(Number), CodesLoaded: 12 },
    ],
    [
      "build-export",
      { outcome: "succeeded", rows: 3 },
      { ExportDuration: expect.any(Number), RowsExported: 3 },
    ],
    ["allocate-audience", { outcome: "done" }, { AudienceDuration: expect.any(Number) }],
  ] as const)("of %s are published when the work is finished", async (job, report, values) => {
    expect(await measured(job, report)).toEqual([values]);
  });

  it.each([
    ["load-code-file", "queued again"],
    ["load-code-file", "refused"],
    ["build-export", "nothing to do"],
    ["allocate-audience", "superseded"],
    ["seal-code-file", "withdrawn"],
  ] as const)("of %s are not when it is %s", async (job, outcome) => {
    expect(await measured(job, { outcome })).toEqual([]);
  });

  it("count a run that failed", async () => {
    expect(await measured("seal-code-file", new Error("broken"))).toEqual([{ JobFailed: 1 }]);
  });
});
