import { describe, expect, it } from "vitest";
import { audienceAnswer } from "../../../shared/files/audience-answer.ts";
import { audienceOf } from "../../../shared/storage/audiences.ts";

const now = new Date("2026-11-25T09:00:00.000Z");

/** An audience of 10,000 customers on its way. */
const stored = (own: Readonly<Record<string, unknown>>) =>
  audienceOf({
    audienceId: "aud_01KA5S2H4N6P8R0T2V4X6Z8A0C",
    promocodeId: "pcd_1",
    promotionId: "prm_1",
    fileName: "audience.csv",
    source: "upload",
    mode: "allocate",
    occurenceId: null,
    seriesId: null,
    actionId: null,
    status: "running",
    objectKey: "audience-uploads/pcd_1/aud.csv",
    versionId: "1",
    attempt: 1,
    rows: { read: 10_000, customers: 10_000, repeatedInFile: 0, rejected: 0 },
    problems: [],
    counts: { pool: 0, repeated: 0, default: 0, refused: 0 },
    result: null,
    preview: null,
    failure: null,
    createdAt: now.toISOString(),
    completedAt: null,
    expiresAt: 1,
    ...own,
  });

describe("how far an audience is", () => {
  it("is told by its rows, whatever these say", async () => {
    const audience = stored({ counts: { pool: 5_000, repeated: 1_000, default: 200, refused: 30 } });

    expect((await audienceAnswer(audience, now)).progress).toEqual({ done: 6_230, total: 10_000 });
  });

  it("is told by a preview while it looks, though it hands nothing out", async () => {
    const audience = stored({ mode: "preview", looked: 4_096 });

    expect((await audienceAnswer(audience, now)).progress).toEqual({ done: 4_096, total: 10_000 });
  });
});
