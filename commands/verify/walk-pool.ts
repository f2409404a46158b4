import { inOrder } from "../../functions/build-export/in-order.ts";
import {
  type Cell,
  type CellAddress,
  type Holder,
  holderOf,
  isFull,
  sameAddress,
  tokenOf,
  tombstone,
} from "../../shared/pool/cell.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { hashOf, parseSalt, type Salt } from "../../shared/pool/hash.ts";
import { homeCells } from "../../shared/pool/layout.ts";
import { type PoolStore, shardsPerBlock } from "../../shared/pool/pool-store.ts";
import { cellsOfShard, readCells } from "../../shared/storage/cells.ts";
import { unknownContexts } from "../../shared/storage/contexts.ts";
import { intentsOf } from "../../shared/storage/intents.ts";
import { dynamoPoolStore } from "../../shared/storage/pool-store.ts";
import { breachesOfCell, CodeOrder } from "./cell-rules.ts";
import type { Findings } from "./findings.ts";
import { HashBag, hashName } from "./hash-bag.ts";
import { PassedCells } from "./passed-cells.ts";

/** What a walk needs to know before it begins. */
export interface WalkedPool {
  readonly promocodeId: string;
  readonly salt: string;
  readonly generations: readonly Generation[];
  /** Numbers of those whose withdrawal was over before the walk began. */
  readonly sealed: ReadonlySet<number>;
}

/** What the cells of one generation held when they were read. */
export interface GenerationTotals {
  cells: number;
  codes: number;
  /** Slots that are taken, by those who were erased too. */
  holders: number;
  /** Codes that nobody holds and nobody can get any more: their cells were sealed. */
  sealed: number;
}

/** How holders were placed, and of which kind their tokens are. */
export interface HolderTotals {
  atFirstHome: number;
  atSecondHome: number;
  byIntent: number;
  erased: number;
  /** Tokens without a trigger: given out under Consistent. */
  consistent: number;
  /** Tokens with a trigger: given out under Varying. */
  varying: number;
}

export interface WalkProgress {
  readonly shards: number;
  readonly shardsDone: number;
  readonly codes: number;
  readonly holders: number;
}

const shardsAtOnce = 8;
/** Hashes of codes that are kept before those are looked through that can come no more: 16 MB. */
const codesAtOnce = 2_000_000;
/** Contexts that were found and are not asked for again. */
const rememberedContexts = 100_000;

export const placeOf = ({ generation, attempt, shard, cell }: CellAddress): string =>
  `generation ${generation}, attempt ${attempt}, shard ${shard}, cell ${cell}`;

interface ShardOfGeneration {
  readonly generation: Generation;
  readonly shard: number;
}

/** All shards of all generations by the hash at which each begins, so that equal codes are met close to each other. */
const shardsByHash = (generations: readonly Generation[]): readonly ShardOfGeneration[] =>
  generations
    .flatMap((generation) => Array.from({ length: generation.shards }, (_, shard) => ({ generation, shard })))
    .sort((one, other) => startOf(one) - startOf(other));

const startOf = ({ generation, shard }: ShardOfGeneration): number => shard / generation.shards;

/**
 * Reads every cell of a pool once, strongly consistently, and holds what it reads against the rules. Memory grows by 8
 * bytes for each holder and 2 bits for each cell of the base; everything else is read, judged and forgotten shard by
 * shard.
 *
 * What makes it true while codes are being given out: a slot, once taken, stays taken; a full cell stays full; codes
 * stay where they are. So whatever was read stays true, and only two things can mislead: an item that was read before
 * another one that refers to it, and a person who is being erased. Both are read again.
 */
export class PoolWalk {
  readonly holders: HolderTotals = {
    atFirstHome: 0,
    atSecondHome: 0,
    byIntent: 0,
    erased: 0,
    consistent: 0,
    varying: 0,
  };
  readonly totals: ReadonlyMap<number, GenerationTotals>;
  readonly #pool: WalkedPool;
  readonly #findings: Findings;
  readonly #store: PoolStore;
  readonly #salt: Salt;
  readonly #shards: readonly ShardOfGeneration[];
  readonly #tokens: HashBag;
  readonly #codes = new HashBag();
  readonly #knownContexts = new Set<string>();
  #base: Promise<Base | undefined>;

  constructor(pool: WalkedPool, findings: Findings) {
    this.#pool = pool;
    this.#findings = findings;
    this.#store = dynamoPoolStore(pool.promocodeId);
    this.#salt = parseSalt(pool.salt);
    this.#shards = shardsByHash(pool.generations);
    this.#tokens = new HashBag(pool.generations.reduce((sum, { codes }) => sum + codes, 0));
    this.totals = new Map(
      pool.generations.map(({ number }) => [number, { cells: 0, codes: 0, holders: 0, sealed: 0 }]),
    );
    this.#base = this.#readBase();
  }

  /** Walks all cells. */
  async walk(onProgress: (progress: WalkProgress) => void = () => {}): Promise<void> {
    const marks = await this.#shardMarks();
    const tasks = this.#shards.map((place) => () => this.#walkShard(place, marks));
    let shardsDone = 0;
    for await (const _ of inOrder(tasks, shardsAtOnce)) {
      shardsDone += 1;
      // Shards still to come begin at this hash. `scale` rounds, hence the margin of one.
      const next = this.#shards[shardsDone];
      if (this.#codes.size > codesAtOnce)
        this.#codes.repeated(next ? Math.floor(startOf(next) * 2 ** 32) - 1 : undefined);
      onProgress({ shards: this.#shards.length, shardsDone, ...this.#sums() });
    }
    for (const address of (await this.#base)?.passed.passedButNotFull() ?? [])
      this.#findings.suspect(
        { rule: "passed-not-full", where: placeOf(address), detail: "it was not full when it was read" },
        async () => !isFull(await this.#readCell(address)),
      );
    await this.#findRepeated();
  }

  /** Number of the base, once somebody was found who holds a code. */
  async base(): Promise<number | undefined> {
    return (await this.#base)?.generation.number;
  }

  #sums() {
    const totals = [...this.totals.values()];
    return {
      codes: totals.reduce((sum, { codes }) => sum + codes, 0),
      holders: totals.reduce((sum, { holders }) => sum + holders, 0),
    };
  }

  async #readBase(): Promise<Base | undefined> {
    const number = await this.#store.base();
    if (number === undefined) return undefined;
    // Set during the walk, it may be a file that was published during the walk.
    const generations = [...this.#pool.generations, ...(await this.#store.generations())];
    const generation = generations.find((each) => each.number === number);
    return generation && { generation, passed: new PassedCells(generation) };
  }

  /** Asked again while there is none: the first code may have been given out since. */
  async #baseNow(): Promise<Base | undefined> {
    const known = await this.#base;
    if (known) return known;
    this.#base = this.#readBase();
    return this.#base;
  }

  /** Full sets of shards, read before any cell: what they say was true before, and stays so. */
  async #shardMarks(): Promise<ReadonlyMap<number, ReadonlySet<number>>> {
    const marks = new Map<number, ReadonlySet<number>>();
    for (const generation of this.#pool.generations) {
      const full = new Set<number>();
      for (let block = 0; block * shardsPerBlock < generation.shards; block += 1)
        for (const shard of await this.#store.fullShards(generation, block)) full.add(shard);
      marks.set(generation.number, full);
    }
    return marks;
  }

  async #walkShard(
    { generation, shard }: ShardOfGeneration,
    marks: ReadonlyMap<number, ReadonlySet<number>>,
  ): Promise<void> {
    // Before the cells, for the same reason.
    const fullCells = await this.#store.fullCells(generation, shard);
    const isShardFull = marks.get(generation.number)?.has(shard) ?? false;
    const cells: Cell[] = [];
    for await (const page of cellsOfShard(this.#pool.promocodeId, generation, shard)) cells.push(...page);

    this.#checkPresence(generation, shard, cells);
    const order = new CodeOrder(generation, this.#salt, shard);
    for (const cell of cells) {
      this.#checkCell(generation, cell, isShardFull || fullCells.has(cell.address.cell));
      this.#checkCodes(cell, order);
    }
    await this.#checkHolders(cells);
    await this.#checkContexts(cells);
  }

  #checkPresence({ number, attempt, cellsPerShard }: Generation, shard: number, cells: readonly Cell[]) {
    const present = new Set(cells.map(({ address }) => address.cell));
    for (let cell = 0; cell < cellsPerShard; cell += 1)
      if (!present.has(cell))
        this.#findings.add({
          rule: "cell-missing",
          where: placeOf({ generation: number, attempt, shard, cell }),
          detail: `its shard has ${present.size} cells of ${cellsPerShard}`,
        });
  }

  #checkCell(generation: Generation, cell: Cell, isMarked: boolean): void {
    const { number, status } = generation;
    const { address, capacity, codes, tokens } = cell;
    const where = placeOf(address);
    const totals = this.totals.get(number)!;
    totals.cells += 1;
    totals.codes += codes.length;
    totals.holders += tokens.length;
    totals.sealed += Math.max(0, codes.length - Math.max(capacity, tokens.length));

    for (const breach of breachesOfCell(cell)) this.#findings.add({ ...breach, where });
    const free = `${tokens.length} holders, ${capacity} codes to give out`;
    if (isMarked && !isFull(cell)) this.#findings.add({ rule: "mark-wrong", where, detail: free });
    if (this.#pool.sealed.has(number) && !isFull(cell))
      this.#findings.add({ rule: "not-sealed", where, detail: free });
    if (status === "published" && capacity < codes.length)
      this.#findings.suspect(
        { rule: "sealed-early", where, detail: `${capacity} to give out, ${codes.length} codes` },
        async () => {
          const now = await this.#store.generations();
          return now.find((each) => each.number === number)?.status === "published";
        },
      );
  }

  #checkCodes({ address, codes }: Cell, order: CodeOrder): void {
    for (const code of codes) {
      const { hash, breach } = order.next(code);
      this.#codes.add(hash);
      if (breach) this.#findings.add({ ...breach, where: placeOf(address) });
    }
  }

  /** Holds each holder's place against the path that a retry of theirs would take. */
  async #checkHolders(cells: readonly Cell[]): Promise<void> {
    const beyond: Beyond[] = [];
    for (const cell of cells) {
      if (cell.tokens.length === 0 && cell.capacity > 0) continue;
      const base = await this.#baseNow();
      if (base && cell.address.generation === base.generation.number && isFull(cell))
        base.passed.wasFull(cell.address);
      for (const token of cell.tokens) {
        if (token === tombstone) {
          this.holders.erased += 1;
          continue;
        }
        const holder = holderOf(token);
        this.holders[holder.trigger === null ? "consistent" : "varying"] += 1;
        this.#tokens.add(hashOf(token, this.#salt));
        if (base && !this.#isAtHome(base, holder, cell.address))
          beyond.push({ holder, address: cell.address });
      }
    }
    this.holders.byIntent += beyond.length;
    await this.#checkIntents(beyond);
  }

  /** Notes the cells that the holder has passed on the way. */
  #isAtHome({ generation, passed }: Base, { customerId }: Holder, address: CellAddress): boolean {
    const homes = homeCells(customerId, generation, this.#salt);
    const at = homes.findIndex((home) => sameAddress(home, address));
    if (at === 0) this.holders.atFirstHome += 1;
    if (at === 1) this.holders.atSecondHome += 1;
    for (const home of at < 0 ? homes : homes.slice(0, at)) passed.wasPassed(home);
    return at >= 0;
  }

  async #checkIntents(beyond: readonly Beyond[]): Promise<void> {
    const { promocodeId } = this.#pool;
    const distinct = [...new Map(beyond.map((each) => [tokenOf(each.holder), each])).values()];
    const intents = await intentsOf(
      promocodeId,
      distinct.map(({ holder }) => holder),
    );
    for (const [at, { holder, address }] of distinct.entries()) {
      const intent = intents[at];
      if (intent && sameAddress(intent, address)) continue;
      const detail = intent ? `the intent leads to ${placeOf(intent)}` : "there is no intent";
      this.#findings.suspect({ rule: "holder-unreachable", where: placeOf(address), detail }, async () => {
        const [now] = await intentsOf(promocodeId, [holder]);
        if (now && sameAddress(now, address)) return false;
        // Erased meanwhile: then nobody will ask again.
        return (await this.#readCell(address)).tokens.includes(tokenOf(holder));
      });
    }
  }

  async #checkContexts(cells: readonly Cell[]): Promise<void> {
    const placeById = new Map<string, CellAddress>();
    for (const { address, stamps } of cells)
      for (const { contextId } of stamps)
        if (!this.#knownContexts.has(contextId)) placeById.set(contextId, address);
    const unknown = new Set(await unknownContexts(this.#pool.promocodeId, [...placeById.keys()]));
    if (this.#knownContexts.size > rememberedContexts) this.#knownContexts.clear();
    for (const [contextId, address] of placeById) {
      if (!unknown.has(contextId)) this.#knownContexts.add(contextId);
      else
        this.#findings.add({
          rule: "context-missing",
          where: placeOf(address),
          detail: `there is no context ${contextId}`,
        });
    }
  }

  /** Equal hashes are a suspicion: a second walk finds the texts that they are of. Hardly ever needed. */
  async #findRepeated(): Promise<void> {
    const tokens = this.#tokens.repeated();
    const codes = this.#codes.repeated();
    if (tokens.size + codes.size === 0) return;
    const cellsByToken = new Map<string, CellAddress[]>();
    const cellsByCode = new Map<string, CellAddress[]>();
    const note = (cellsByText: Map<string, CellAddress[]>, text: string, address: CellAddress) => {
      const cells = cellsByText.get(text);
      if (!cells) cellsByText.set(text, [address]);
      else if (!cells.some((cell) => sameAddress(cell, address))) cells.push(address);
    };
    for (const { generation, shard } of this.#shards)
      for await (const page of cellsOfShard(this.#pool.promocodeId, generation, shard))
        for (const cell of page) {
          for (const token of cell.tokens)
            if (token !== tombstone && tokens.has(hashName(hashOf(token, this.#salt))))
              note(cellsByToken, token, cell.address);
          for (const code of cell.codes)
            if (codes.has(hashName(hashOf(code, this.#salt)))) note(cellsByCode, code, cell.address);
        }

    for (const cells of cellsByCode.values())
      if (cells.length > 1)
        this.#findings.add({
          rule: "code-twice",
          where: placesOf(cells),
          detail: "the same code is in each",
        });
    for (const [token, cells] of cellsByToken)
      if (cells.length > 1)
        this.#findings.suspect(
          { rule: "holder-twice", where: placesOf(cells), detail: "one holder has a slot in each" },
          async () => {
            const now = await readCells(this.#pool.promocodeId, cells);
            return now.filter((cell) => cell.tokens.includes(token)).length > 1;
          },
        );
  }

  async #readCell(address: CellAddress): Promise<Cell> {
    const [cell] = await readCells(this.#pool.promocodeId, [address]);
    return cell!;
  }
}

interface Base {
  readonly generation: Generation;
  readonly passed: PassedCells;
}

/** A holder who is not at home. */
interface Beyond {
  readonly holder: Holder;
  readonly address: CellAddress;
}

const placesOf = (cells: readonly CellAddress[]): string => cells.map(placeOf).join("; ");
