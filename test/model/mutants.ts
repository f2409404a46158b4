import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type * as scenario from "./scenario.ts";

const folder = dirname(fileURLToPath(import.meta.url));

/** One rule of the protocol, broken by an edit of the code that keeps it. */
export interface Mutant {
  readonly name: string;
  readonly breaks: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

const placement = "../../shared/pool/placement.ts";
const fullness = "../../shared/pool/fullness.ts";
const store = "./memory-pool-store.ts";
const erasure = "../../shared/pool/erasure.ts";

export const mutants: readonly Mutant[] = [
  {
    name: "skiphome",
    breaks: "nobody reaches the intent without having passed the homes",
    file: placement,
    find: 'passed = home === "passed";',
    replace: "passed = true;",
  },
  {
    name: "blind",
    breaks: "an intent moves only by compare-and-set",
    file: store,
    find: "if (itStandsWhereSeen || stored === undefined)",
    replace: "if (true)",
  },
  {
    name: "nointent",
    breaks: "all calls for a token meet in one intent",
    file: placement,
    find: "candidate ? await store.createIntent(holder, candidate) :",
    replace: "candidate ? candidate :",
  },
  {
    name: "floatbase",
    breaks: "the base is set once",
    file: store,
    find: "state.base ??= generation;",
    replace: "state.base = generation;",
  },
  {
    name: "earlymark",
    breaks: "a cell is marked full only after it was seen full",
    file: fullness,
    find: "if (free.length === 0)",
    replace: "if (free.length <= 1)",
  },
  {
    name: "nocontains",
    breaks: "a token enters a cell once",
    file: store,
    find: "if (!(slotsAreFree && holdersAreNew))",
    replace: "if (!slotsAreFree)",
  },
  {
    name: "nosize",
    breaks: "a cell takes no more tokens than it has codes",
    file: store,
    find: "if (!(slotsAreFree && holdersAreNew))",
    replace: "if (!holdersAreNew)",
  },
  {
    name: "openseal",
    breaks: "a seal holds only for the size that was seen",
    file: store,
    find: "if (!cell || !sizeIsAsSeen)",
    replace: "if (!cell)",
  },
  {
    name: "unseenfull",
    breaks: "a cell that a lagging read does not know yet is not taken for a full one",
    file: placement,
    find: "seen !== undefined && seen.codes.length > 0 && isFull(seen)",
    replace: "seen !== undefined && isFull(seen)",
  },
  {
    name: "lostbase",
    breaks: "holders at home in a withdrawn base are found there",
    file: placement,
    find: ": await pool.store.base();",
    replace: ": undefined;",
  },
  {
    name: "cutout",
    breaks: "an erased holder's slot stays taken",
    file: store,
    find: "cell.holders[slot] = erased(held);",
    replace: "cell.holders.splice(slot, 1);",
  },
  {
    name: "intentfirst",
    breaks: "an intent goes after what it leads to was overwritten",
    file: erasure,
    find: "  await Promise.all(slots.map((slot) => store.overwrite(slot)));\n",
    replace:
      "  await Promise.all(intents.map((intent) => store.removeIntent(intent)));\n  await Promise.all(slots.map((slot) => store.overwrite(slot)));\n",
  },
  {
    name: "traceless",
    breaks: "the cell that a removed intent named is looked at again",
    file: erasure,
    find: "await store.leaveTraces(",
    replace: "void (",
  },
  {
    name: "hasty",
    breaks: "calls that were under way end before an erasure looks again",
    file: "./scenario.ts",
    find: "pauses.push({ calls,",
    replace: "pauses.push({ calls: new Set(),",
  },
  {
    name: "onelook",
    breaks: "an erasure looks at least twice",
    file: erasure,
    find: "round > 1 && found === 0",
    replace: "true",
  },
  {
    name: "twolooks",
    breaks: "an erasure looks until it finds nothing",
    file: erasure,
    find: "round > 1 && found === 0",
    replace: "round > 1",
  },
  {
    name: "leftlost",
    breaks: "a code that no way leads to is erased, however new it is",
    file: erasure,
    find: "slot.isOld || (await isLost(slot))",
    replace: "slot.isOld",
  },
  {
    name: "leftintent",
    breaks: "the customer's intents go too",
    file: erasure,
    find: "intents.map((intent) => store.removeIntent(intent))",
    replace: "[]",
  },
  {
    name: "halfname",
    breaks: "only the customer's own slots are erased",
    file: "../../shared/pool/lookup.ts",
    find: "holderOf(token).customerId === customerId",
    replace: "holderOf(token).customerId.startsWith(customerId)",
  },
  {
    name: "onetoken",
    breaks: "under Varying all of the customer's tokens are erased",
    file: "../../shared/pool/lookup.ts",
    find: "holderOf(token).customerId === customerId",
    replace: "token === customerId",
  },
];

/** The model checker over code with this one edit. Throws when the code to edit is not there exactly once. */
export const withMutant = async ({ name, file, find, replace }: Mutant): Promise<typeof scenario> => {
  const path = resolve(folder, file);
  const source = await readFile(path, "utf8");
  if (source.split(find).length !== 2)
    throw new Error(`mutant ${name}: its code is not in ${file} exactly once`);
  const { outputFiles } = await build({
    entryPoints: [resolve(folder, "scenario.ts")],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    plugins: [
      {
        name: "mutant",
        setup: (setup) => {
          setup.onLoad({ filter: /\.ts$/ }, ({ path: loaded }) =>
            loaded === path ? { contents: source.replace(find, () => replace), loader: "ts" } : undefined,
          );
        },
      },
    ],
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  return import(/* @vite-ignore */ `data:text/javascript;base64,${Buffer.from(code).toString("base64")}`);
};
