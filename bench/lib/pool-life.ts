import { allocate } from "../../shared/pool/placement.ts";
import { newPool } from "../../shared/pool/pool.ts";
import { seededRandom } from "../../test/model/simulation.ts";
import { type Metered, MeteringPool } from "./metering-store.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** What the allocations of one stretch of a pool's life cost. */
export interface Stretch {
  readonly name: string;
  /** Share of the pool's codes that are handed out when it ends. */
  readonly end: number;
  allocations: number;
  writeUnits: number;
  readUnits: number;
  /** Writes that their condition refused: each means a try that was in vain. */
  refused: number;
  /** Calls of the store, whatever they were. */
  calls: number;
  /** Write units by operation, refused writes apart. */
  readonly units: Record<string, number>;
}

const newStretch = (name: string, end: number): Stretch => ({
  name,
  end,
  allocations: 0,
  writeUnits: 0,
  readUnits: 0,
  refused: 0,
  calls: 0,
  units: {},
});

export interface PoolLife {
  readonly codes: number;
  /** Instances that serve one call at a time, each with a memory of its own, as on Lambda. */
  readonly instances: number;
  /** All instances wait for each other at the end of a stretch, and begin the next one together: the worst of rushes. */
  readonly together?: boolean;
  /** Instances forget what they know of the pool at the end of a stretch. With `together`. */
  readonly forgetful?: boolean;
  readonly varying?: boolean;
  /** Calls that begin in a second of virtual time, as long as an instance is free. @default as fast as they can */
  readonly perSecond?: number;
  readonly seed?: number;
  readonly observe?: (metered: Metered, at: number) => void;
}

/** Bytes as in production: an id of a promocode is a prefix and a ULID. */
const promocodeId = "pcd_01KA5S1B3M9K7T5R2C8VQ0WDXE";
const contextId = "g7gpW";

const hex = (random: () => number, digits: number): string =>
  Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join("");
const uuid = (random: () => number): string =>
  [8, 4, 4, 4, 12].map((digits) => hex(random, digits)).join("-");
const aTrigger = (random: () => number): string => Buffer.from(hex(random, 24), "hex").toString("base64url");

/**
 * Plays a pool's whole life, one customer for each code, with the real allocation code: callers race in virtual time,
 * each store call takes 1 to 9 milliseconds of it, and everything is charged as DynamoDB would, to the stretch in which
 * the call got its code. Throws when a code was burnt or given twice, or a call was told falsely that none is left.
 */
export const playPoolLife = async ({
  codes,
  instances,
  together = false,
  forgetful = false,
  varying = false,
  perSecond = Number.POSITIVE_INFINITY,
  seed = 1,
  observe = () => {},
}: PoolLife) => {
  const random = seededRandom(seed);
  const clock = new VirtualClock();
  const salt = { high: Math.floor(random() * 2 ** 32), low: Math.floor(random() * 2 ** 32) };
  const pool = new MeteringPool(promocodeId, salt);
  const loadUnits = pool.publish(
    Array.from({ length: codes }, (_, index) => `CODE${String(index).padStart(8, "0")}`),
  );
  const stretches = [
    newStretch("0-50 %", 0.5),
    newStretch("50-90 %", 0.9),
    newStretch("90-99 %", 0.99),
    newStretch("last 1 %", 1),
  ];

  const held = new Set<string>();
  let falseDry = 0;
  const anInstance = () => {
    let metered: Metered[] = [];
    const store = pool.store(
      () => clock.sleep(0.5 + 4 * random()),
      (operation) => {
        metered.push(operation);
        observe(operation, clock.now);
      },
    );
    const remembering = () => newPool({ store, salt, random, generations: [...pool.generations] });
    let memory = remembering();
    return {
      forget: () => {
        memory = remembering();
      },
      serveOne: async () => {
        metered = [];
        const holder = { customerId: uuid(random), trigger: varying ? aTrigger(random) : null };
        // As `poolOf` does: the base comes with the promocode's settings, which every call reads.
        memory.base ??= pool.base;
        const stamp = { at: 1_795_435_200_000 + Math.floor(clock.now), contextId };
        const placement = await allocate(memory, { holder, stamp });
        if (!placement) {
          falseDry += 1;
          return;
        }
        held.add(`${placement.cell.codes[placement.slot]}`);
        charge(stretches.find(({ end }) => held.size <= end * codes) ?? stretches[3]!, metered);
      },
    };
  };

  const all = Array.from({ length: instances }, anInstance);
  let begun = 0;
  for (const until of together ? stretches.map(({ end }) => Math.floor(end * codes)) : [codes]) {
    const working = Promise.all(
      all.map(async (instance) => {
        if (forgetful) instance.forget();
        while (begun < until) {
          const due = (begun / perSecond) * 1000;
          begun += 1;
          if (clock.now < due) await clock.sleep(due - clock.now);
          await instance.serveOne();
        }
      }),
    );
    await clock.run();
    await working;
  }

  const doubled = [...pool.tokens.values()].filter((slots) => slots > 1).length;
  if (doubled + falseDry > 0 || held.size !== codes || pool.taken !== codes)
    throw new Error(`${doubled} doubled, ${falseDry} false dry, ${held.size} given, ${pool.taken} taken`);
  return { stretches, loadUnits };
};

const charge = (stretch: Stretch, metered: readonly Metered[]): void => {
  stretch.allocations += 1;
  for (const { operation, writeUnits, readUnits, refused } of metered) {
    stretch.writeUnits += writeUnits;
    stretch.readUnits += readUnits;
    stretch.calls += 1;
    if (refused) stretch.refused += 1;
    const name = refused ? `${operation} refused` : operation;
    if (writeUnits > 0) stretch.units[name] = (stretch.units[name] ?? 0) + writeUnits;
  }
};
