import { describe, expect, it } from "vitest";
import { allocationRows, contextIdsOf } from "../../../../functions/build-export/allocation-rows.ts";
import { noContext } from "../../../../shared/domain/allocation-context.ts";
import { type Cell, tombstone } from "../../../../shared/pool/cell.ts";

const file = { promocodeId: "pcd_1", promotionId: "prm_1", fileId: "fil_1" };
const always = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };

const aCell = (more: Partial<Cell>): Cell => ({
  address: { generation: 1, attempt: 1, shard: 0, cell: 0 },
  capacity: 2,
  codes: ["CODE-1", "CODE-2"],
  tokens: ["customer-1"],
  stamps: [{ at: 0, contextId: "" }],
  ...more,
});

describe("the rows of a cell", () => {
  it("are its holders with the code at their position, and no row for a free code", () => {
    const rows = allocationRows([aCell({})], file, new Map([["", noContext]]), always);

    expect(rows).toEqual([
      ["customer-1", "pcd_1", "prm_1", "fil_1", "CODE-1", "1970-01-01T00:00:00.000Z", "", "", ""],
    ]);
  });

  it("name the customer without the trigger of a Varying call, and its context", () => {
    const cell = aCell({
      tokens: ["customer-1\u001ftrigger-1", "customer-1\u001ftrigger-2"],
      stamps: [
        { at: 0, contextId: "aaaaa" },
        { at: 0, contextId: "" },
      ],
    });
    const contexts = new Map([
      ["", noContext],
      ["aaaaa", { occurenceId: "send-1", seriesId: null, actionId: "mail" }],
    ]);

    const rows = allocationRows([cell], file, contexts, always);

    expect(contextIdsOf([cell])).toEqual(new Set(["aaaaa", ""]));
    expect(rows.map((row) => [row[0], row[4], ...row.slice(6)])).toEqual([
      ["customer-1", "CODE-1", "send-1", "", "mail"],
      ["customer-1", "CODE-2", "", "", ""],
    ]);
  });

  it("keep an erased holder's code, with an empty customer", () => {
    const rows = allocationRows([aCell({ tokens: [tombstone] })], file, new Map([["", noContext]]), always);

    expect(rows[0]?.slice(0, 5)).toEqual(["", "pcd_1", "prm_1", "fil_1", "CODE-1"]);
  });

  it("refuse a cell that holds more people than codes", () => {
    const broken = aCell({ codes: [] });

    expect(() => allocationRows([broken], file, new Map(), always)).toThrow("more holders than codes");
  });
});
