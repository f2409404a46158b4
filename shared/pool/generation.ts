/** The cells of one published code file. */
export interface Generation {
  /** 1, 2, … in the order of publication. */
  readonly number: number;
  readonly fileId: string;
  /** The attempt that wrote the cells; part of their keys. */
  readonly attempt: number;
  /** How many codes the file brought. */
  readonly codes: number;
  readonly shards: number;
  /** Cells in each shard, 1 to 256. */
  readonly cellsPerShard: number;
  /** `published`: codes are given out of it. `withdrawn`: its free codes are being sealed or are sealed. */
  readonly status: "published" | "withdrawn";
}

export const cellsOf = ({ shards, cellsPerShard }: Generation): number => shards * cellsPerShard;
