import { describe, expect, it } from "vitest";
import { Ledger } from "../../../soak/ledger.ts";

const ada = { customerId: "ada", trigger: null };
const bob = { customerId: "bob", trigger: null };

describe("the soak's ledger", () => {
  it("takes the same answer twice for a code that was given again", () => {
    const ledger = new Ledger();

    ledger.note(ada, "A1");
    ledger.note(ada, "A1");

    expect(ledger.size).toBe(1);
    expect([...ledger.givenTwice, ...ledger.withTwo]).toEqual([]);
    expect(ledger.holdings()).toEqual(new Map([["A1", "ada"]]));
  });

  it("notices a code that two were given", () => {
    const ledger = new Ledger();

    ledger.note(ada, "A1");
    ledger.note(bob, "A1");

    expect(ledger.givenTwice).toEqual(new Set(["A1"]));
  });

  it("notices two codes for a customer, and none for a customer with two triggers", () => {
    const ledger = new Ledger();

    ledger.note({ ...bob, trigger: "one" }, "B1");
    ledger.note({ ...bob, trigger: "two" }, "B2");
    expect(ledger.withTwo.size).toBe(0);

    ledger.note(ada, "A1");
    ledger.note(ada, "A2");
    expect(ledger.withTwo.size).toBe(1);
  });
});
