import { describe, expect, it } from "vitest";
import { Ledger } from "../../../../bench/allocation/ledger.ts";

const given = (customerId: string, code: string) => ({ customerId, answer: { code } });
const dry = (customerId: string) => ({ customerId, answer: "dry" as const });
const none = { burnt: 0, lost: 0, customersWithTwo: 0, givenTwice: 0, falseDry: 0 };

describe("the ledger", () => {
  it("finds nothing wrong when every answer is in the table and the rest is free", () => {
    const ledger = new Ledger(3);

    ledger.note([given("a", "X"), given("b", "Y"), given("a", "X")]);

    const holderByCode = new Map([
      ["X", "a"],
      ["Y", "b"],
    ]);
    expect(ledger.check({ free: 1, holderByCode })).toEqual(none);
    expect(ledger.given).toBe(2);
  });

  it("counts codes that are used up but were told to nobody, held or not, as burnt", () => {
    const ledger = new Ledger(4);

    ledger.note([given("a", "X")]);

    const holderByCode = new Map([
      ["X", "a"],
      ["Y", "a"],
    ]);
    expect(ledger.check({ free: 1, holderByCode })).toEqual({ ...none, burnt: 2 });
  });

  it("counts a code that its customer was told but does not hold as lost", () => {
    const ledger = new Ledger(1);

    ledger.note([given("a", "X")]);

    expect(ledger.check({ free: 1, holderByCode: new Map() })).toEqual({ ...none, lost: 1 });
    expect(ledger.check({ free: 0, holderByCode: new Map([["X", "b"]]) })).toMatchObject({ lost: 1 });
  });

  it("counts codes of two customers and customers of two codes", () => {
    const ledger = new Ledger(2);

    ledger.note([given("a", "X"), given("b", "X"), given("a", "Y")]);

    const holderByCode = new Map([
      ["X", "a"],
      ["Y", "a"],
    ]);
    expect(ledger.check({ free: 0, holderByCode })).toMatchObject({ customersWithTwo: 1, givenTwice: 1 });
  });

  it("calls an answer that the pool is dry false only while a code is left", () => {
    const ledger = new Ledger(1);

    ledger.note([dry("a")]);
    const early = ledger.check({ free: 1, holderByCode: new Map() });
    ledger.note([given("b", "X"), dry("a")]);
    const late = ledger.check({ free: 0, holderByCode: new Map([["X", "b"]]) });

    expect([early.falseDry, late.falseDry]).toEqual([1, 1]);
  });
});
