import { describe, expect, it } from "vitest";
import { momentSchema } from "../../../shared/contract/conventions.ts";

describe("a moment that a caller names", () => {
  it.each([
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "2026-11-23T09:00:00.5+14:00",
    "9999-12-31T23:59:59+23:59",
  ])("is taken: %s", (text) => {
    expect(momentSchema.safeParse(text).success).toBe(true);
  });

  it.each(["9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00+00:01", "2026-02-30T00:00:00Z", "2026-01-01"])(
    "is refused before anything is stored that cannot be read again: %s",
    (text) => {
      expect(momentSchema.safeParse(text).success).toBe(false);
    },
  );
});
