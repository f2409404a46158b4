import type { Generation } from "../../shared/pool/generation.ts";
import { shardStarts } from "../../shared/pool/loading/cut.ts";
import type { SortedCodes } from "../../shared/pool/loading/sorted-codes.ts";
import { cellsOfShard } from "../../shared/storage/cells.ts";

/** A shard is up to 256 cells of 1 KB at most, so this bounds the memory too. */
const shardsAtOnce = 12;

/**
 * Leaves out the codes that older files brought, withdrawn ones too; answers how many. Shards are ranges of the hash,
 * so only those are read that could hold a code of the file.
 */
export const dropHeldCodes = async (
  promocodeId: string,
  codes: SortedCodes,
  generations: readonly Generation[],
  signal: AbortSignal,
): Promise<number> => {
  let dropped = 0;
  const shards = shardsToRead(codes, generations);
  const readNext = async () => {
    for (let next = shards.next(); !next.done; next = shards.next()) {
      const { generation, shard } = next.value;
      for await (const cells of cellsOfShard(promocodeId, generation, shard)) {
        signal.throwIfAborted();
        for (const cell of cells) for (const code of cell.codes) if (codes.drop(code)) dropped += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: shardsAtOnce }, readNext));
  codes.removeDropped();
  return dropped;
};

function* shardsToRead(codes: SortedCodes, generations: readonly Generation[]) {
  for (const generation of generations) {
    const starts = shardStarts(codes, generation.shards);
    for (let shard = 0; shard < generation.shards; shard++)
      if (starts[shard]! < starts[shard + 1]!) yield { generation, shard };
  }
}
