import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashOf, scale } from "../../../../shared/pool/hash.ts";
import { codesPerCell, maxCellsPerShard, shardOf } from "../../../../shared/pool/layout.ts";
import { type Cut, cellRange, cutOf, shardStarts } from "../../../../shared/pool/loading/cut.ts";
import { salt, sorted, textsOf } from "./codes.ts";

const codes = (count: number, prefix = "CODE-") =>
  sorted(Array.from({ length: count }, (_, index) => `${prefix}${index}`));

const ranges = (cut: Cut) =>
  Array.from({ length: cut.shards }, (_, shard) =>
    Array.from({ length: cut.cellsPerShard }, (__, cell) => cellRange(cut, shard, cell)),
  );

describe("cutting codes into cells", () => {
  it("puts every code into exactly one cell of its shard, in order, in sizes that differ by one at most", () => {
    fc.assert(
      fc.property(
        fc.nat(5_000),
        fc.string({ maxLength: 30 }),
        fc.integer({ min: 1, max: 128 }),
        (count, prefix, length) => {
          const all = codes(count, prefix.replaceAll(/[^!-~]/g, "x"));

          const cut = cutOf(all, length);

          const texts = textsOf(all);
          let next = 0;
          ranges(cut).forEach((cells, shard) => {
            const sizes = cells.map(({ from, to }) => to - from);
            for (const { from, to } of cells) {
              expect(from).toBe(next);
              for (const text of texts.slice(from, to))
                expect(shardOf(hashOf(text, salt), cut.shards)).toBe(shard);
              next = to;
            }
            expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
            expect(Math.max(...sizes)).toBeLessThanOrEqual(codesPerCell(length) + 1);
          });
          expect(next).toBe(count);
          expect(cut.cellsPerShard).toBeLessThanOrEqual(maxCellsPerShard);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("knows the border of every shard exactly", () => {
    const borders: number[] = [];
    for (const shards of [1, 2, 3, 7, 16, 100, 279, 2791, 11_111]) {
      borders.length = 0;
      shardStarts({ count: 2 ** 32, firstFrom: (high) => borders.push(high) }, shards);
      borders.forEach((high, shard) => {
        expect(scale(high, shards)).toBe(shard);
        if (high > 0) expect(scale(high - 1, shards)).toBe(shard - 1);
      });
    }
  });

  it.each([
    [20, 0.15],
    [300, 0.12],
    [3_000, 0.08],
    [100_000, 0.0725],
  ])("costs few cells per code: %i codes", (count, most) => {
    const cut = cutOf(codes(count), 10);

    expect((cut.shards * cut.cellsPerShard) / count).toBeLessThanOrEqual(most);
  });

  it("gives more shards than 16 cells' worth only when the cells need them, and adds shards when 256 cells are not enough", () => {
    expect(cutOf(codes(20), 10).shards).toBe(2);
    expect(cutOf(codes(3_000), 10).shards).toBe(16);
    // All hashes in the first half: no number of cells in two shards is enough, so there are more shards.
    const lopsided = {
      count: 7_000,
      firstFrom: (high: number) => Math.min(7_000, Math.ceil((high / 2 ** 31) * 7_000)),
    };
    const cut = cutOf(lopsided, 10);
    for (const cells of ranges(cut))
      for (const { from, to } of cells) expect(to - from).toBeLessThanOrEqual(15);
  });
});
