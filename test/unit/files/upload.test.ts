import { describe, expect, it, vi } from "vitest";
import { maxFileBytes } from "../../../shared/contract/conventions.ts";
import { presignedUpload } from "../../../shared/files/upload.ts";

vi.hoisted(() => {
  Object.assign(process.env, {
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "id",
    AWS_SECRET_ACCESS_KEY: "secret",
    UPLOADS_BUCKET: "uploads",
  });
});

describe("the form of an upload", () => {
  it("is for one key of one bucket, up to 500 MB, for 15 minutes, and for nothing else", async () => {
    const before = Date.now();

    const { fields, maxBytes, expiresAt } = await presignedUpload(
      "uploads/pcd_1/fil_1.csv",
      new Date(before),
    );

    const policy = JSON.parse(Buffer.from(fields.Policy ?? "", "base64").toString()) as {
      expiration: string;
      conditions: unknown[];
    };
    const { "X-Amz-Date": date, "X-Amz-Credential": credential } = fields;
    expect(policy.conditions).toEqual([
      ["content-length-range", 0, maxFileBytes],
      // S3 refuses a form with a field that no condition speaks of: this is the only one that may vary.
      ["starts-with", "$Content-Type", ""],
      { bucket: "uploads" },
      { "X-Amz-Algorithm": "AWS4-HMAC-SHA256" },
      { "X-Amz-Credential": credential },
      { "X-Amz-Date": date },
      { key: "uploads/pcd_1/fil_1.csv" },
    ]);
    expect(maxBytes).toBe(500 * 1024 * 1024);
    // Both clocks run: the SDK's begins within this test, and its policy ends 15 minutes after.
    const lives = Date.parse(policy.expiration) - before;
    expect(lives).toBeGreaterThanOrEqual(899_000);
    expect(lives).toBeLessThanOrEqual(900_000 + (Date.now() - before) + 1_000);
    expect(Date.parse(expiresAt)).toBeLessThanOrEqual(Date.parse(policy.expiration) + 1_000);
  });
});
