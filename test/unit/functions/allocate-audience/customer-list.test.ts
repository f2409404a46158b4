import { describe, expect, it } from "vitest";
import { CustomerList } from "../../../../functions/allocate-audience/customer-list.ts";
import type { Generation } from "../../../../shared/pool/generation.ts";
import { hashOf } from "../../../../shared/pool/hash.ts";
import { homeCells } from "../../../../shared/pool/layout.ts";

const salt = { high: 0x5f1d0c1a, low: 0xb3e94c2d };

const listOf = (ids: readonly string[], most = ids.length): CustomerList => {
  const bytes = Buffer.from(ids.join("\n"));
  const list = new CustomerList(bytes.length + 2 * ids.length, most, salt);
  for (const id of ids) {
    const text = Buffer.from(id);
    if (!list.add(text, 0, text.length)) throw new Error("full");
  }
  list.sort();
  return list;
};
const all = (list: CustomerList): string[] =>
  Array.from({ length: list.count }, (_, position) => list.customer(position));

describe("customers of an audience", () => {
  const ids = Array.from({ length: 20_000 }, (_, index) => `kunde-ü-${index}`);

  it("stand in the order of the pool's own hash, those of one home cell beside each other", () => {
    const customers = all(listOf(ids));

    const highs = customers.map((id) => hashOf(id, salt).high);
    const base: Generation = {
      number: 1,
      fileId: "fil_1",
      attempt: 1,
      codes: 70_000,
      shards: 20,
      cellsPerShard: 250,
      status: "published",
    };
    const homes = customers.map((id) => {
      const [home] = homeCells(id, base, salt);
      return `${home?.shard}.${home?.cell}`;
    });
    const changes = homes.filter((home, at) => home !== homes[at - 1]).length;
    expect(highs).toEqual([...highs].sort((one, other) => one - other));
    expect(changes).toBe(new Set(homes).size);
    expect(new Set(customers)).toEqual(new Set(ids));
  });

  it("are each in it once, however often and wherever the file repeats them", () => {
    const list = listOf([...ids, ...ids.slice(500).reverse(), ...ids.slice(0, 700), "ada", "ada"]);

    expect(list.count).toBe(20_001);
    expect(new Set(all(list)).size).toBe(20_001);
    expect(list.added).toBe(20_000 + 19_500 + 700 + 2);
  });

  it("are few where nearly all rows repeat two of them", () => {
    const rows = Array.from({ length: 50_000 }, (_, index) => (index % 2 === 0 ? "ada" : "bob"));

    expect(all(listOf([...rows, "cem"])).sort()).toEqual(["ada", "bob", "cem"]);
  });

  it("are told apart where their hashes collide", () => {
    // Among so many ids a handful of pairs share a hash of 32 bits.
    const many = Array.from({ length: 300_000 }, (_, index) => `customer-${index}@${index % 97}.example.com`);
    const highs = new Set(many.map((id) => hashOf(id, salt).high));

    expect(highs.size).toBeLessThan(many.length);
    expect(listOf([...many, ...many]).count).toBe(many.length);
  });

  it("have a fingerprint that another order of rows keeps and another customer changes", () => {
    const print = listOf(ids).fingerprint();

    expect(listOf([...ids].reverse()).fingerprint()).toBe(print);
    expect(listOf([...ids, "one more"]).fingerprint()).not.toBe(print);
    expect(listOf([...ids.slice(1), "another"]).fingerprint()).not.toBe(print);
  });

  it("are refused when there is no room for more", () => {
    const list = new CustomerList(100, 2, salt);
    const id = Buffer.from("ada");

    expect([list.add(id, 0, 3), list.add(id, 0, 3), list.add(id, 0, 3)]).toEqual([true, true, false]);
  });
});
