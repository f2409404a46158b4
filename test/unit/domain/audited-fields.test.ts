import { describe, expect, it } from "vitest";
import { auditedFields } from "../../../shared/domain/audited-fields.ts";

describe("what an audit entry keeps of what was asked for", () => {
  it("is all of it when it is small", () => {
    const body = {
      name: "Autumn sale",
      uniqueCodes: { onExhausted: "refuse", lowPoolThreshold: 0 },
      list: [1, null],
    };

    expect(auditedFields(body)).toEqual(body);
  });

  it("is not what is absent", () => {
    expect(auditedFields({ name: "x", description: undefined })).toEqual({ name: "x" });
  });

  it("is the beginning of a long text, cut between characters", () => {
    const { description } = auditedFields({ description: "🎁".repeat(201) });

    expect(description).toBe(`${"🎁".repeat(200)}…`);
    expect(auditedFields({ description: "🎁".repeat(200) }).description).toBe("🎁".repeat(200));
  });

  it("is the first 20 entries of many, and how many there were more", () => {
    const metadata = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`m${at}`, "x".repeat(1_000)]));

    const kept = auditedFields({ metadata }).metadata as Record<string, string>;

    expect(Object.keys(kept)).toHaveLength(21);
    expect(kept["…"]).toBe("and 30 more");
    expect(JSON.stringify(kept).length).toBeLessThan(5_000);
  });

  it("is never a customer's id, however deep", () => {
    const asked = { customerId: "ada", allocations: [{ customerId: "bob", occurenceId: "o" }] };

    expect(auditedFields(asked)).toEqual({ allocations: [{ occurenceId: "o" }] });
  });
});
