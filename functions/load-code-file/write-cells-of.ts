import type { Cut } from "../../shared/pool/loading/cut.ts";
import { cellRange } from "../../shared/pool/loading/cut.ts";
import type { SortedCodes } from "../../shared/pool/loading/sorted-codes.ts";
import { type CellWriting, writeCells } from "../../shared/storage/cell-writer.ts";
import { type CellItem, newCellItem } from "../../shared/storage/cells.ts";

/** The cells of a generation to be. */
export interface GenerationCells {
  readonly promocodeId: string;
  readonly number: number;
  readonly attempt: number;
  readonly codes: SortedCodes;
  readonly cut: Cut;
}

/**
 * Writes the cells from `firstShard` on, empty ones too, until all are written or `goOn` says no. Answers the number of
 * shards that are written completely then, counted from the first shard of all.
 */
export const writeCellsOf = async (
  generation: GenerationCells,
  firstShard: number,
  writing: CellWriting,
): Promise<number> => {
  const { shards, cellsPerShard } = generation.cut;
  const cells = function* (): Generator<CellItem> {
    for (let shard = firstShard; shard < shards; shard++)
      for (let cell = 0; cell < cellsPerShard; cell++) yield cellItem(generation, shard, cell);
  };
  return firstShard + Math.floor((await writeCells(cells(), writing)) / cellsPerShard);
};

const cellItem = (
  { promocodeId, number, attempt, codes, cut }: GenerationCells,
  shard: number,
  cell: number,
): CellItem => {
  const { from, to } = cellRange(cut, shard, cell);
  const texts: string[] = [];
  for (let position = from; position < to; position++) texts.push(codes.code(position));
  return newCellItem(promocodeId, { generation: number, attempt, shard, cell }, texts);
};
