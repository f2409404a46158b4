import { describe, expect, it } from "vitest";
import { generateCode, newPromocode } from "../../../shared/domain/new-promocode.ts";

const request = { freshUlid: "01KA5S1B3M9K7T5R2C8VQ0WDXE", now: new Date("2026-11-23T09:00:00.000Z") };

describe("a generated code", () => {
  it("has 8 characters that nobody mistakes for others", () => {
    const codes = Array.from({ length: 1_000 }, generateCode);

    expect(codes.every((code) => /^[2-9BCDFGHJKMNPQRSTVWXZ]{8}$/.test(code))).toBe(true);
    expect(new Set(codes).size).toBe(1_000);
  });
});

describe("a new promocode", () => {
  it("is named by the request unless the caller names it", () => {
    const body = { promotionId: "prm_1", type: "personalized" } as const;

    expect(newPromocode(body, request).promocodeId).toBe(`pcd_${request.freshUlid}`);
    expect(newPromocode({ ...body, promocodeId: "mine" }, request).promocodeId).toBe("mine");
  });

  it("has a salt of its own", () => {
    const body = { promotionId: "prm_1", type: "personalized" } as const;
    const salts = Array.from({ length: 100 }, () => newPromocode(body, request)).map(
      (promocode) => promocode.type === "personalized" && promocode.salt,
    );

    expect(new Set(salts).size).toBe(100);
    expect(salts.every((salt) => /^[0-9a-f]{16}$/.test(String(salt)))).toBe(true);
  });
});
