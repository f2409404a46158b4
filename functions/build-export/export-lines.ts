import { exportColumns } from "../../shared/contract/exports.ts";
import { csvLines } from "../../shared/files/csv-writer.ts";
import type { Cell } from "../../shared/pool/cell.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { cellsOfShard } from "../../shared/storage/cells.ts";
import { contextsOf } from "../../shared/storage/contexts.ts";
import type { StoredExport } from "../../shared/storage/exports.ts";
import { generationsOf } from "../../shared/storage/generations.ts";
import { allocationRows, contextIdsOf, type Period } from "./allocation-rows.ts";
import { inOrder } from "./in-order.ts";

/** A piece of the CSV in UTF-8. */
export interface Piece {
  readonly lines: Buffer;
  readonly rows: number;
}

/** A shard has up to 256 cells: mostly one call and a few hundred kilobytes. Four keep a processor busy. */
const shardsAtOnce = 4;

/**
 * The export's CSV: the header, then the allocations by file, shard and cell. Reads the cells strongly consistently,
 * so every allocation that was answered before is in it. A withdrawn file's allocations are too: they stay on record.
 */
export async function* exportLines(wanted: StoredExport): AsyncGenerator<Piece> {
  yield { lines: Buffer.from(csvLines([exportColumns])), rows: 0 };
  const generations = (await generationsOf(wanted.promocodeId)).filter(
    ({ fileId }) => wanted.fileId === null || wanted.fileId === fileId,
  );
  // Empty pieces too: whoever takes them looks at the time in between.
  yield* inOrder(shardTasks(wanted, generations), shardsAtOnce);
}

function* shardTasks(wanted: StoredExport, generations: readonly Generation[]) {
  for (const generation of generations)
    for (let shard = 0; shard < generation.shards; shard += 1)
      yield () => linesOfShard(wanted, generation, shard);
}

const linesOfShard = async (wanted: StoredExport, generation: Generation, shard: number): Promise<Piece> => {
  const { promocodeId, promotionId, formulaSafe } = wanted;
  const cells: Cell[] = [];
  for await (const page of cellsOfShard(promocodeId, generation, shard))
    cells.push(...page.filter(({ tokens }) => tokens.length > 0));

  const contexts = await contextsOf(promocodeId, contextIdsOf(cells));
  const file = { promocodeId, promotionId, fileId: generation.fileId };
  const rows = allocationRows(cells, file, contexts, periodOf(wanted));
  return { lines: Buffer.from(csvLines(rows, { formulaSafe })), rows: rows.length };
};

const periodOf = ({ from, to }: StoredExport): Period => ({
  from: from === null ? Number.NEGATIVE_INFINITY : Date.parse(from),
  to: to === null ? Number.POSITIVE_INFINITY : Date.parse(to),
});
