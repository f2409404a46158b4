import type { AllocationContext } from "../../shared/domain/allocation-context.ts";
import { type Cell, holderOf, type Stamp } from "../../shared/pool/cell.ts";

/** Which allocations are wanted, in milliseconds since 1970: `from` included, `to` not. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

/** What all rows of one file have in common. */
export interface FileOfRows {
  readonly promocodeId: string;
  readonly promotionId: string;
  readonly fileId: string;
}

const isIn = ({ at }: Stamp, { from, to }: Period): boolean => at >= from && at < to;

/** Ids of the contexts that the cells' rows need. */
export const contextIdsOf = (cells: readonly Cell[]): Set<string> =>
  new Set(cells.flatMap(({ stamps }) => stamps.map(({ contextId }) => contextId)));

/**
 * A row per allocated code, in the order of the columns. A holder who was erased leaves the row, for the code is
 * spent, with an empty customerId: a customer's own is never empty.
 */
export const allocationRows = (
  cells: readonly Cell[],
  { promocodeId, promotionId, fileId }: FileOfRows,
  contexts: ReadonlyMap<string, AllocationContext>,
  period: Period,
): readonly (readonly string[])[] => {
  const rows: string[][] = [];
  for (const { codes, tokens, stamps } of cells) {
    for (const [slot, token] of tokens.entries()) {
      const stamp = stamps[slot];
      const uniqueCode = codes[slot];
      if (stamp === undefined || uniqueCode === undefined)
        throw new Error(`A cell of file ${fileId} has more holders than codes or stamps.`);
      if (!isIn(stamp, period)) continue;
      const context = contexts.get(stamp.contextId);
      rows.push([
        holderOf(token).customerId,
        promocodeId,
        promotionId,
        fileId,
        uniqueCode,
        new Date(stamp.at).toISOString(),
        context?.occurenceId ?? "",
        context?.seriesId ?? "",
        context?.actionId ?? "",
      ]);
    }
  }
  return rows;
};
