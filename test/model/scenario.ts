import { allocateMany } from "../../shared/pool/bulk.ts";
import { type Holder, holderOf, tokenOf, tombstone } from "../../shared/pool/cell.ts";
import { eraseBatch, findToErase, isOver } from "../../shared/pool/erasure.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { homeCells } from "../../shared/pool/layout.ts";
import { allocate, type Placement } from "../../shared/pool/placement.ts";
import { newPool, type Pool } from "../../shared/pool/pool.ts";
import type { NewHolder, PoolStore } from "../../shared/pool/pool-store.ts";
import { withdraw } from "../../shared/pool/withdrawal.ts";
import {
  cellName,
  longestLag,
  memoryErasureStore,
  memoryPoolStore,
  PoolState,
  remember,
} from "./memory-pool-store.ts";
import { Process, seededRandom, settle } from "./simulation.ts";

/** More steps than any run without a livelock takes. */
const mostSteps = 20_000;

const newcomer = (holder: Holder, at: number): NewHolder => ({ holder, stamp: { at, contextId: "" } });

/** The same memory of the pool with a store of its own. */
const sharing = (memory: Pool, store: PoolStore): Pool =>
  new Proxy(memory, {
    get: (target, property) => (property === "store" ? store : Reflect.get(target, property)),
  });

/** What a call answered, as the place of the code. */
const placeOf = ({ cell, slot }: Placement): string => `${cellName(cell.address)}.${slot}`;

/** A call that was begun: when, which cells had room then, and which erasures its customers had seen. */
interface Begun {
  readonly at: number;
  readonly free: ReadonlySet<string>;
  readonly erasures: ReadonlyMap<string, number>;
}

/** Something that runs and may die at any time. */
interface Running {
  readonly process: Process;
  /** Customers who ask again when it dies. */
  readonly retry: readonly Holder[];
  /** What begins it anew when it dies, as a queue does. */
  readonly redeliver?: () => void;
}

/** An erasure between two of its rounds. */
interface Pause {
  /** Calls that were under way when the round ended: the time that it waits is longer than any of them takes. */
  readonly calls: ReadonlySet<Process>;
  readonly since: number;
  readonly goOn: () => void;
}

/**
 * Plays one random run of the real allocation code and tells the first promise that it broke, or null.
 *
 * A run has a pool that may start empty, up to three files published and one withdrawn midway, a dozen tokens each
 * asked for one to three times, singly or in bulk, callers with stale knowledge of the pool, some of it shared by
 * several calls, up to two erasures of customers, and crashes between any two store operations, after which the caller
 * tries again and a job is begun anew.
 */
export const playScenario = async (seed: number): Promise<string | null> => {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const state = new PoolState();
  const salt = { high: below(2 ** 32), low: below(2 ** 32) };

  const publish = () => {
    const number = state.generations.length + 1;
    // A shard of more cells than are read together (`cellsPerRun`) has few with codes, so that it fills up too.
    const isWide = below(8) === 0;
    const [shards, cellsPerShard] = [1 + below(3), isWide ? 9 + below(9) : 1 + below(2)];
    let codes = 0;
    for (let shard = 0; shard < shards; shard++) {
      for (let cell = 0; cell < cellsPerShard; cell++) {
        const hasCodes = isWide ? below(8) === 0 : below(4) > 0;
        const capacity = hasCodes ? 1 + below(3) : 0;
        const address = { generation: number, attempt: 1, shard, cell };
        const names = Array.from({ length: capacity }, (_, slot) => `${cellName(address)}.${slot}`);
        const made = { capacity, codes: names, holders: [], past: [] };
        state.cells.set(cellName(address), made);
        remember(state, made);
        codes += capacity;
      }
    }
    state.generations.push({
      number,
      fileId: `file-${number}`,
      attempt: 1,
      codes,
      shards,
      cellsPerShard,
      status: "published",
    });
  };
  if (random() < 0.7) publish();
  if (random() < 0.3) publish();
  let toPublish = (state.generations.length > 0 ? 0 : 1) + below(3);
  let toWithdraw = random() < 0.3 ? 1 : 0;
  let toErase = random() < 0.4 ? 1 + below(2) : 0;
  const crashRate = random() < 0.5 ? 0 : 0.03;

  const holders: Holder[] = Array.from({ length: 2 + below(12) }, (_, index) =>
    random() < 0.3
      ? { customerId: `customer-${below(4)}`, trigger: `trigger-${index}` }
      : { customerId: `customer-${index}`, trigger: null },
  );

  const isSeenFull = ({ number, shards, cellsPerShard }: Generation): boolean =>
    Array.from({ length: shards }, (_, shard) => state.fullCells.get(`${number}.${shard}`)?.size ?? 0).every(
      (size) => size === cellsPerShard,
    );
  /** A pool as a process may know it: generations missing at the end, the base unknown, some closed ones known. */
  const staleKnowledge = (process: Process): Pool => {
    const generations = state.generations.slice(0, Math.max(0, state.generations.length - below(2)));
    const base = random() < 0.5 ? state.base : undefined;
    const pool = newPool({ store: memoryPoolStore(state, process, random), salt, random, generations, base });
    for (const generation of generations)
      if (random() < 0.7 && isSeenFull(generation)) pool.closed.add(generation.number);
    if (random() < 0.7) pool.homeFill = random();
    return pool;
  };

  const answers = new Map<string, string>();
  /** Whose a code was, ever: an erased customer's goes to nobody else. */
  const customerByPlace = new Map<string, string>();
  /** Moved on when an erasure of the customer is asked for, and when it is over. */
  const erasures = new Map<string, number>();
  const openErasures = new Map<string, number>();
  let violation: string | null = null;
  /** Who asks while they are being erased may be erased along, or be somebody new. */
  const isSettled = ({ customerId }: Holder, begun: Begun): boolean => {
    return !openErasures.get(customerId) && begun.erasures.get(customerId) === erasures.get(customerId);
  };
  const note = (holder: Holder, placement: Placement | undefined, begun: Begun) => {
    const token = JSON.stringify(tokenOf(holder));
    if (placement) {
      const now = placeOf(placement);
      const owner = customerByPlace.get(now) ?? holder.customerId;
      if (owner !== holder.customerId) violation ??= `code ${now} went to ${owner} and ${holder.customerId}`;
      customerByPlace.set(now, owner);
      if (!isSettled(holder, begun)) return;
      const before = answers.get(token);
      if (before !== undefined && before !== now) violation ??= `token ${token} got ${before} and ${now}`;
      answers.set(token, now);
      return;
    }
    for (const name of begun.free) {
      const cell = state.cells.get(name);
      const withdrawn = state.generations[Number(name.split(".")[0]) - 1]?.status === "withdrawn";
      if (cell && !withdrawn && cell.holders.length < cell.capacity)
        violation ??= `token ${token} got the default code while cell ${name} was free all the time`;
    }
  };
  const freeCells = () =>
    new Set([...state.cells].filter(([, cell]) => cell.holders.length < cell.capacity).map(([name]) => name));

  const begin = (): Begun => ({ at: state.now, free: freeCells(), erasures: new Map(erasures) });

  const running: Running[] = [];
  const pauses: Pause[] = [];
  const shared: Pool[] = [];
  const start = (wanted: readonly Holder[]) => {
    const process = new Process();
    const begun = begin();
    let pool = staleKnowledge(process);
    const memory = shared[below(2)];
    // Calls of one process share what it remembers, but each has a store of its own, so that it can die alone.
    if (memory) pool = sharing(memory, pool.store);
    else if (random() < 0.5) shared.push(pool);
    const [first] = wanted;
    if (wanted.length === 1 && first)
      process.run(
        () => allocate(pool, newcomer(first, begun.at)),
        (placement) => note(first, placement, begun),
      );
    else
      process.run(
        () =>
          allocateMany(
            pool,
            wanted.map((holder) => newcomer(holder, begun.at)),
          ),
        (placements) => {
          for (const [at, holder] of wanted.entries()) note(holder, placements[at], begun);
        },
      );
    running.push({ process, retry: wanted });
  };
  const startWithdrawal = () => {
    const process = new Process();
    const at = below(state.generations.length);
    const generation = state.generations[at]!;
    const store = memoryPoolStore(state, process, random);
    process.run(
      async () => {
        const withdrawn: Generation = { ...generation, status: "withdrawn" };
        await process.turn(() => state.generations.splice(at, 1, withdrawn));
        await withdraw(store, withdrawn);
      },
      () => {},
    );
    running.push({ process, retry: [] });
  };

  const homesOf = (customerId: string) => {
    const base = state.generations.find(({ number }) => number === state.base);
    return base ? homeCells(customerId, base, salt) : [];
  };
  const startErasure = () => {
    const { customerId } = holders[below(holders.length)]!;
    const erasureId = `erasure-${toErase}`;
    const askedAt = state.now;
    const move = (by: 1 | -1) => {
      erasures.set(customerId, (erasures.get(customerId) ?? 0) + 1);
      openErasures.set(customerId, (openErasures.get(customerId) ?? 0) + by);
    };
    move(1);
    for (const holder of holders)
      if (holder.customerId === customerId) answers.delete(JSON.stringify(tokenOf(holder)));

    const playRound = (round: number, foundBefore: number) => {
      const process = new Process();
      const store = memoryErasureStore(state, process, { erasureId, customerId });
      let found = foundBefore;
      process.run(
        async () => {
          const homes = await process.turn(() => homesOf(customerId));
          const isOld = round === 1 ? () => true : ({ at }: { readonly at: number }) => at < askedAt;
          for await (const batch of findToErase({ store, customerId, homes, isOld })) {
            found += batch.slots.length + batch.intents.length;
            await eraseBatch(store, batch);
          }
          if (isOver({ round, found })) await store.forgetTraces();
        },
        () => {
          if (isOver({ round, found })) {
            move(-1);
            violation ??= leftOf(customerId, askedAt);
            return;
          }
          const calls = new Set(running.filter(({ retry }) => retry.length > 0).map((call) => call.process));
          pauses.push({ calls, since: state.now, goOn: () => playRound(round + 1, 0) });
        },
      );
      running.push({ process, retry: [], redeliver: () => playRound(round, found) });
    };
    playRound(1, 0);
  };
  /** What an erasure that is over has left of the customer as they were before it was asked for. */
  const leftOf = (customerId: string, askedAt: number): string | null => {
    for (const [token, address] of state.intents) {
      if (holderOf(token).customerId !== customerId) continue;
      const isOld = (state.intentsSince.get(token) ?? 0) < askedAt;
      const leadsToNew = state.cells
        .get(cellName(address))
        ?.holders.some(({ holder }) => tokenOf(holder) === token);
      if (isOld && !leadsToNew) return `an intent of ${customerId} is left after the erasure`;
    }
    for (const [name, { holders: held }] of state.cells) {
      for (const { holder, stamp } of held) {
        if (holder.customerId !== customerId) continue;
        if (stamp.at < askedAt) return `${customerId} is left in cell ${name} after the erasure`;
        const intent = state.intents.get(tokenOf(holder));
        const isFound = [...homesOf(customerId), ...(intent ? [intent] : [])].some(
          (address) => cellName(address) === name,
        );
        // Another erasure that is still under way knows the cells that its intents named.
        if (!isFound && !openErasures.get(customerId))
          return `no way leads to ${customerId} in cell ${name} after the erasure`;
      }
    }
    return null;
  };
  const endPauses = () => {
    for (const [at, { calls, since, goOn }] of [...pauses.entries()].reverse()) {
      if (running.some(({ process }) => calls.has(process))) continue;
      pauses.splice(at, 1);
      state.now = Math.max(state.now, since + longestLag);
      goOn();
    }
  };

  const pending: (readonly Holder[])[] = holders.flatMap((holder) =>
    Array.from({ length: 1 + below(3) }, () => [holder]),
  );
  if (random() < 0.3) pending.push(holders.filter(() => random() < 0.5));

  for (let steps = 0; running.length + pending.length + pauses.length + toPublish > 0; steps++) {
    if (steps > mostSteps) return "livelock";
    const dice = random();
    // The pause may be long over when the next round begins.
    if (pauses.length > 0 && (dice < 0.05 || running.length === 0)) endPauses();
    if (pending.length > 0 && (dice < 0.25 || running.length === 0)) {
      const [wanted] = pending.splice(below(pending.length), 1);
      if (wanted && wanted.length > 0) start(wanted);
    } else if (toPublish > 0 && (dice > 0.985 || running.length === 0)) {
      publish();
      toPublish--;
    } else if (toWithdraw > 0 && state.generations.length > 0 && dice > 0.97) {
      startWithdrawal();
      toWithdraw--;
    } else if (toErase > 0 && answers.size > 0 && dice > 0.93) {
      startErasure();
      toErase--;
    } else if (running.length > 0) {
      const at = below(running.length);
      const { process, retry, redeliver } = running[at]!;
      if ((retry.length > 0 || redeliver) && random() < crashRate) {
        running.splice(at, 1);
        if (retry.length > 0) pending.push(retry);
        redeliver?.();
        await settle();
        continue;
      }
      const [operation] = process.waiting.splice(below(process.waiting.length), 1);
      operation?.();
    }
    await settle();
    for (let at = running.length - 1; at >= 0; at--) {
      const process = running[at]!.process;
      if (process.failure) return `a call failed: ${String(process.failure)}`;
      if (process.done) running.splice(at, 1);
    }
    if (violation) return violation;
  }

  // All is quiet. Everybody asks once more: who was answered gets the same code, who is left gets one while any is free.
  for (const holder of holders) {
    const process = new Process();
    const begun = begin();
    const pool = staleKnowledge(process);
    process.run(
      () => allocate(pool, newcomer(holder, begun.at)),
      (placement) => {
        const token = JSON.stringify(tokenOf(holder));
        if (!placement && answers.has(token)) violation ??= `token ${token} lost its code`;
        note(holder, placement, begun);
      },
    );
    await settle();
    for (let steps = 0; !process.done; steps++) {
      if (steps > mostSteps) return "livelock";
      process.waiting.shift()?.();
      await settle();
    }
    if (process.failure) return `a call failed: ${String(process.failure)}`;
    if (violation) return violation;
  }
  return checkState(state, answers, new Set(holders.map(tokenOf)).size);
};

/** The promises that hold for the pool as a whole. */
const checkState = (
  state: PoolState,
  answers: ReadonlyMap<string, string>,
  tokens: number,
): string | null => {
  const cellByToken = new Map<string, string>();
  let [taken, erased, capacity] = [0, 0, 0];
  for (const [name, cell] of state.cells) {
    capacity += cell.capacity;
    taken += cell.holders.length;
    if (cell.holders.length > cell.capacity) return `cell ${name} holds more than its capacity`;
    for (const { holder } of cell.holders) {
      const token = tokenOf(holder);
      if (token === tombstone) {
        erased += 1;
        continue;
      }
      if (cellByToken.has(token)) return `a token sits in ${cellByToken.get(token)} and ${name}`;
      cellByToken.set(token, name);
    }
  }
  if (new Set(answers.values()).size !== answers.size) return "one code went to two tokens";
  if (taken - erased !== answers.size)
    return `${taken - erased} codes are taken but ${answers.size} were answered`;
  if (answers.size !== Math.min(tokens, capacity - erased))
    return `${answers.size} codes given to ${tokens} tokens though ${capacity - erased} could be`;
  return null;
};

/** Plays seeds `from` … `from + count - 1`; stops at the first violation if told so. */
export const playScenarios = async (
  from: number,
  count: number,
  { stopAtFirst = false }: { readonly stopAtFirst?: boolean } = {},
): Promise<readonly { seed: number; violation: string }[]> => {
  const violations: { seed: number; violation: string }[] = [];
  for (let seed = from; seed < from + count; seed++) {
    const violation = await playScenario(seed);
    if (violation) violations.push({ seed, violation });
    if (violation && stopAtFirst) break;
  }
  return violations;
};
