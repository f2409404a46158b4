import type { CellAddress } from "../../shared/pool/cell.ts";
import { cellsOf, type Generation } from "../../shared/pool/generation.ts";

/**
 * Of each cell of the base generation two bits: whether it was seen full, and whether a holder was found that must have
 * passed it. Whoever passes a cell saw it full, and full is for ever.
 */
export class PassedCells {
  readonly #base: Generation;
  readonly #full: Uint8Array;
  readonly #passed: Uint8Array;

  constructor(base: Generation) {
    this.#base = base;
    const bytes = Math.ceil(cellsOf(base) / 8);
    this.#full = new Uint8Array(bytes);
    this.#passed = new Uint8Array(bytes);
  }

  wasFull(address: CellAddress): void {
    this.#set(this.#full, address);
  }

  wasPassed(address: CellAddress): void {
    this.#set(this.#passed, address);
  }

  /** Cells that somebody passed although they were not full when they were read. */
  *passedButNotFull(): Generator<CellAddress> {
    const { number, attempt, cellsPerShard } = this.#base;
    for (const [byte, passed] of this.#passed.entries()) {
      const wrong = passed & ~this.#full[byte]!;
      for (let bit = 0; wrong >> bit > 0; bit += 1) {
        if (((wrong >> bit) & 1) === 0) continue;
        const position = 8 * byte + bit;
        const shard = Math.floor(position / cellsPerShard);
        yield { generation: number, attempt, shard, cell: position % cellsPerShard };
      }
    }
  }

  #set(bits: Uint8Array, { shard, cell }: CellAddress): void {
    const position = shard * this.#base.cellsPerShard + cell;
    bits[position >> 3]! |= 1 << (position & 7);
  }
}
