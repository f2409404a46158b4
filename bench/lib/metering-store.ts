import type { Cell, CellAddress, Holder, Stamp } from "../../shared/pool/cell.ts";
import { tokenOf } from "../../shared/pool/cell.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import type { Salt } from "../../shared/pool/hash.ts";
import { CodeTable } from "../../shared/pool/loading/code-table.ts";
import { type Cut, cellRange, cutOf } from "../../shared/pool/loading/cut.ts";
import { SortedCodes } from "../../shared/pool/loading/sorted-codes.ts";
import { type AppendResult, type PoolStore, shardsPerBlock } from "../../shared/pool/pool-store.ts";
import { encodeStamp } from "../../shared/storage/cells.ts";
import { type Key, keys } from "../../shared/storage/table.ts";
import { writeUnitsOf } from "./item-size.ts";

/** One operation of the store, and what DynamoDB would charge for it. */
export interface Metered {
  readonly operation: keyof PoolStore;
  /** Of the item, or of the first of several. */
  readonly key: Key;
  readonly writeUnits: number;
  readonly readUnits: number;
  /** A write that its condition refused: it is charged all the same. */
  readonly refused: boolean;
}

interface CellItem {
  readonly address: CellAddress;
  readonly key: Key;
  capacity: number;
  readonly codes: readonly string[];
  readonly tokens: string[];
  readonly stamps: Stamp[];
  bytes: number;
}

/** What lies between a call and what it does to the table, and between that and its answer. */
export type Journey = () => Promise<void>;

const readUnitsOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / 4096));
const textBytes = (text: string): number => Buffer.byteLength(text);
/** A list's entry: one byte more than its text. */
const slotBytes = (token: string, stamp: Stamp): number =>
  textBytes(token) + 1 + encodeStamp(stamp).length + 1;
const keyBytes = ({ pk, sk }: Key): number => 4 + textBytes(pk) + textBytes(sk);
/** Names and numbers of a cell, two empty lists. */
const emptyCellBytes = 3 + 1 + 1 + 3 + 1 + 3;
const setBytes = (numbers: ReadonlySet<number>): number =>
  [...numbers].reduce((bytes, number) => bytes + 1 + Math.ceil(String(number).length / 2), 1);

/**
 * A promocode's pool in memory, charged as DynamoDB would: write units by the size of the item, refused writes too, as
 * docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html says. It keeps the conditions of
 * `dynamoPoolStore`, but what it is for is counting: that they hold in a race is tested on engines.
 */
export class MeteringPool {
  readonly generations: Generation[] = [];
  base: number | undefined;
  /** Codes that were handed out. */
  taken = 0;
  readonly #cells = new Map<string, CellItem>();
  readonly #intents = new Map<string, CellAddress>();
  readonly #fullSets = new Map<string, { readonly key: Key; readonly numbers: Set<number> }>();
  readonly #promocodeId: string;
  readonly salt: Salt;

  constructor(promocodeId: string, salt: Salt) {
    this.#promocodeId = promocodeId;
    this.salt = salt;
  }

  /** Publishes the codes as the next generation, cut as the loader does. Answers the write units of loading them. */
  publish(codes: readonly string[], cut: (sorted: SortedCodes) => Cut = cutByLength): number {
    const number = this.generations.length + 1;
    const sorted = sortedCodes(codes, this.salt);
    const { shards, cellsPerShard, ...rest } = cut(sorted);
    let units = 0;
    for (let shard = 0; shard < shards; shard++) {
      for (let cell = 0; cell < cellsPerShard; cell++) {
        const { from, to } = cellRange({ shards, cellsPerShard, ...rest }, shard, cell);
        const address = { generation: number, attempt: 1, shard, cell };
        const key = keys.cell({ promocodeId: this.#promocodeId, ...address });
        const texts = Array.from({ length: to - from }, (_, at) => sorted.code(from + at));
        const bytes = keyBytes(key) + emptyCellBytes + textBytes(texts.join("\n"));
        const made = { address, key, capacity: texts.length, codes: texts, tokens: [], stamps: [], bytes };
        this.#cells.set(nameOf(address), made);
        units += writeUnitsOf(bytes);
      }
    }
    this.generations.push({
      number,
      fileId: `fil_${number}`,
      attempt: 1,
      codes: sorted.count,
      shards,
      cellsPerShard,
      status: "published",
    });
    return units;
  }

  /** How many slots the tokens hold; more than `taken` tokens would mean that somebody holds two. */
  get tokens(): ReadonlyMap<string, number> {
    const slots = new Map<string, number>();
    for (const { tokens } of this.#cells.values())
      for (const token of tokens) slots.set(token, (slots.get(token) ?? 0) + 1);
    return slots;
  }

  /** The pool as one caller reaches it: each operation happens in one piece, between two journeys. */
  store(journey: Journey, observe: (metered: Metered) => void): PoolStore {
    const on = async <Result>(operation: () => Result): Promise<Result> => {
      await journey();
      const result = operation();
      await journey();
      return result;
    };
    const promocodeId = this.#promocodeId;
    const head = keys.promocode(promocodeId);
    const read = (operation: keyof PoolStore, key: Key, readUnits: number) =>
      observe({ operation, key, writeUnits: 0, readUnits, refused: false });
    const write = (operation: keyof PoolStore, key: Key, bytes: number, refused = false) =>
      observe({ operation, key, writeUnits: writeUnitsOf(bytes), readUnits: 0, refused });
    const intentKey = ({ customerId, trigger }: Holder) => keys.intent(promocodeId, customerId, trigger);
    const intentBytes = (holder: Holder) => keyBytes(intentKey(holder)) + 12;
    const blockKey = ({ number, attempt }: Generation, block: number) =>
      keys.fullShards(promocodeId, number, attempt, block);

    const itemAt = (address: CellAddress): CellItem =>
      this.#cells.get(nameOf(address)) ?? {
        address,
        key: keys.cell({ promocodeId, ...address }),
        capacity: 0,
        codes: [],
        tokens: [],
        stamps: [],
        bytes: 0,
      };
    const result = (outcome: AppendResult["outcome"], item: CellItem): AppendResult => ({
      outcome,
      cell: cellOf(item),
    });
    const fullSet = (key: Key): { readonly key: Key; readonly numbers: Set<number> } => {
      const name = `${key.pk} ${key.sk}`;
      const set = this.#fullSets.get(name) ?? { key, numbers: new Set<number>() };
      this.#fullSets.set(name, set);
      return set;
    };
    const addToSet = (operation: keyof PoolStore, key: Key, added: readonly number[]) => {
      const { numbers } = fullSet(key);
      for (const number of added) numbers.add(number);
      write(operation, key, keyBytes(key) + setBytes(numbers));
      return new Set(numbers);
    };
    const readSet = (operation: keyof PoolStore, key: Key) => {
      const { numbers } = fullSet(key);
      read(operation, key, readUnitsOf(setBytes(numbers)));
      return new Set(numbers);
    };

    return {
      generations: () =>
        on(() => {
          read("generations", head, readUnitsOf(160 * this.generations.length));
          return [...this.generations];
        }),
      base: () =>
        on(() => {
          read("base", head, 1);
          return this.base;
        }),
      setBase: (generation) =>
        on(() => {
          write("setBase", head, 400, this.base !== undefined);
          this.base ??= generation;
          return this.base;
        }),
      append: (address, holders, capacity = holders.length) =>
        on(() => {
          const item = itemAt(address);
          const tokens = holders.map(({ holder }) => tokenOf(holder));
          const most = holders.length === 1 ? item.capacity - 1 : capacity - holders.length;
          const fits =
            item.capacity > 0 &&
            (holders.length === 1 || item.capacity >= capacity) &&
            item.tokens.length <= most;
          const refused = !fits || tokens.some((token) => item.tokens.includes(token));
          const bytes = holders.reduce(
            (sum, { stamp }, at) => sum + slotBytes(tokens[at]!, stamp),
            item.bytes,
          );
          write("append", item.key, bytes, refused);
          if (refused) return result("refused", item);
          item.tokens.push(...tokens);
          item.stamps.push(...holders.map(({ stamp }) => stamp));
          item.bytes = bytes;
          this.taken += holders.length;
          return result("appended", item);
        }),
      readCells: (addresses) =>
        on(() => {
          const items = addresses.map(itemAt);
          const units = items.reduce((sum, { bytes }) => sum + readUnitsOf(bytes) / 2, 0);
          read("readCells", items[0]!.key, units);
          return items.map(cellOf);
        }),
      seal: (address, size) =>
        on(() => {
          const item = itemAt(address);
          const refused = item.tokens.length !== size;
          write("seal", item.key, item.bytes, refused);
          if (refused) return result("refused", item);
          item.capacity = size;
          return result("appended", item);
        }),
      readNeighbours: ({ number, attempt }, shard, from, to) =>
        on(() => {
          const items = Array.from({ length: to - from + 1 }, (_, at) =>
            itemAt({ generation: number, attempt, shard, cell: from + at }),
          );
          const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
          read("readNeighbours", items[0]!.key, readUnitsOf(bytes));
          return items.map(cellOf);
        }),
      markCellsFull: ({ number, attempt }, shard, cells) =>
        on(() =>
          addToSet(
            "markCellsFull",
            keys.fullCells({ promocodeId, generation: number, attempt, shard }),
            cells,
          ),
        ),
      markShardFull: (generation, shard) =>
        on(() =>
          addToSet("markShardFull", blockKey(generation, Math.floor(shard / shardsPerBlock)), [shard]),
        ),
      fullCells: ({ number, attempt }, shard) =>
        on(() => readSet("fullCells", keys.fullCells({ promocodeId, generation: number, attempt, shard }))),
      fullShards: (generation, block) => on(() => readSet("fullShards", blockKey(generation, block))),
      intent: (holder) =>
        on(() => {
          read("intent", intentKey(holder), 1);
          return this.#intents.get(tokenOf(holder));
        }),
      createIntent: (holder, candidate) =>
        on(() => {
          const stored = this.#intents.get(tokenOf(holder));
          write("createIntent", intentKey(holder), intentBytes(holder), stored !== undefined);
          if (!stored) this.#intents.set(tokenOf(holder), candidate);
          return stored ?? candidate;
        }),
      moveIntent: (holder, from, to) =>
        on(() => {
          const stored = this.#intents.get(tokenOf(holder));
          const refused = stored !== undefined && nameOf(stored) !== nameOf(from);
          write("moveIntent", intentKey(holder), intentBytes(holder), refused);
          if (refused) return stored;
          this.#intents.set(tokenOf(holder), to);
          return to;
        }),
    };
  }
}

const nameOf = ({ generation, shard, cell }: CellAddress): string => `${generation}.${shard}.${cell}`;

const cellOf = ({ address, capacity, codes, tokens, stamps }: CellItem): Cell => ({
  address,
  capacity,
  codes,
  tokens: [...tokens],
  stamps: [...stamps],
});

const cutByLength = (sorted: SortedCodes): Cut => cutOf(sorted, sorted.totalLength() / sorted.count);

const sortedCodes = (codes: readonly string[], salt: Salt): SortedCodes => {
  const bytes = Buffer.from(codes.join("\n"));
  const table = new CodeTable(bytes.length + 1, codes.length, salt);
  let start = 0;
  for (const code of codes) {
    table.add(bytes, start, start + code.length);
    start += code.length + 1;
  }
  return new SortedCodes(table);
};
