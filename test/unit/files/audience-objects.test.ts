import { describe, expect, it } from "vitest";
import {
  audienceResultKey,
  audienceUploadKey,
  dropAudienceId,
  parseAudienceKey,
} from "../../../shared/files/audience-objects.ts";
import { parseUploadsKey } from "../../../shared/files/buckets.ts";

process.env.UPLOADS_BUCKET = "uploads";
const audienceId = "aud_01KA5S3C5E7G9J1M3P5R7T9V1X";

describe("a key of the uploads bucket, to the audiences,", () => {
  it("is an upload where a form wrote it, whatever the promocode is called", () => {
    expect(parseAudienceKey(audienceUploadKey("spring_codes-1", audienceId))).toEqual({
      kind: "upload",
      audienceId,
    });
  });

  it("is never an upload where people drop files, even under the name of an audience", () => {
    expect(parseAudienceKey(`audiences/pcd_1/${audienceId}.csv`)).toEqual({
      kind: "drop",
      promocodeId: "pcd_1",
      fileName: `${audienceId}.csv`,
    });
  });

  it.each([
    ["audiences/pcd_1/März 2026+1.csv", { kind: "drop", promocodeId: "pcd_1", fileName: "März 2026+1.csv" }],
    ["audiences/pcd_1/2026/a.csv", { kind: "drop", promocodeId: "pcd_1", fileName: "2026/a.csv" }],
    ["audiences/pcd_1/a\nb.csv", { kind: "drop", promocodeId: "pcd_1", fileName: "a\nb.csv" }],
    ["audiences/pcd_1/", { kind: "folder" }],
    ["audiences/a.csv", { kind: "unknown" }],
    ["audiences/p c d/a.csv", { kind: "unknown" }],
    ["audience-uploads/pcd_1/a.csv", { kind: "unknown" }],
    [`audience-uploads/${audienceId}.csv`, { kind: "unknown" }],
    ["promocodes/pcd_1/a.csv", { kind: "unknown" }],
  ])("%s is %j", (key, meaning) => {
    expect(parseAudienceKey(key)).toEqual(meaning);
  });

  it("is nothing to the code files", () => {
    expect(parseUploadsKey("audiences/pcd_1/a.csv")).toEqual({ kind: "unknown" });
    expect(parseUploadsKey(audienceUploadKey("pcd_1", audienceId))).toEqual({ kind: "unknown" });
  });
});

describe("a dropped audience", () => {
  const at = new Date("2026-11-23T09:00:00.000Z");
  const object = { objectKey: "audiences/pcd_1/a.csv", versionId: "v1" };

  it("has the same id whenever its event comes, and another one when it is dropped again", () => {
    expect(dropAudienceId(object, at)).toBe(dropAudienceId({ ...object }, at));
    expect(dropAudienceId(object, at)).toMatch(/^aud_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(dropAudienceId({ ...object, versionId: "v2" }, at)).not.toBe(dropAudienceId(object, at));
  });

  it("is younger than one that came before", () => {
    expect(dropAudienceId(object, new Date(at.getTime() + 1)) > dropAudienceId(object, at)).toBe(true);
  });
});

it("each result has an object of its own", () => {
  expect(audienceResultKey(audienceId, "01KA")).not.toBe(audienceResultKey(audienceId, "01KB"));
});
