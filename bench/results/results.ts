import { readFile, rename, writeFile } from "node:fs/promises";
import * as z from "zod";
import type { Outcome } from "../scenario.ts";

const figureSchema = z.object({
  name: z.string(),
  // JSON has no NaN: a figure that came to nothing is stored as null, and still reaches no target.
  value: z
    .number()
    .nullable()
    .transform((value) => value ?? Number.NaN),
  unit: z.string(),
  target: z.union([z.object({ atMost: z.number() }), z.object({ atLeast: z.number() })]).exactOptional(),
  kind: z.enum(["exact", "timed", "model"]),
  note: z.string().exactOptional(),
});

const tableSchema = z.object({
  title: z.string(),
  columns: z.array(z.string()),
  rows: z.array(z.array(z.union([z.string(), z.number(), z.null()]))),
});

/** On what a figure was made: enough for someone else to judge and repeat it. */
const circumstancesSchema = z.object({
  startedAt: z.string(),
  commit: z.string().nullable(),
  node: z.string(),
  sdk: z.string(),
  engine: z.string(),
  machine: z.object({
    cpu: z.string(),
    cores: z.number(),
    memoryGb: z.number(),
    os: z.string(),
    /** Of one minute, at the start: what else the machine was doing. */
    loadAverage: z.number(),
  }),
});
export type Circumstances = z.infer<typeof circumstancesSchema>;

/**
 * One run of one scenario. The circumstances are kept with each, because a published scenario can be measured again
 * alone, later and elsewhere.
 */
const recordSchema = z.object({
  name: z.string(),
  summary: z.string(),
  size: z.enum(["small", "full"]),
  options: z.record(z.string(), z.number()),
  circumstances: circumstancesSchema,
  seconds: z.number(),
  /** Of the scenario's own process, the engine not included. */
  cpuSeconds: z.number(),
  peakMemoryMb: z.number(),
  figures: z.array(figureSchema),
  tables: z.array(tableSchema),
});
const resultsSchema = z.object({ scenarios: z.array(recordSchema) });

export type ScenarioRecord = Readonly<Omit<z.infer<typeof recordSchema>, keyof Outcome>> & Outcome;
export interface Results {
  readonly scenarios: readonly ScenarioRecord[];
}

/** The results in a file; undefined without one. Throws when the file holds something else. */
export const readResults = async (file: string): Promise<Results | undefined> => {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return text === undefined ? undefined : resultsSchema.parse(JSON.parse(text));
};

/** Writes the file whole or not at all: an interrupted bench leaves the old one. */
export const writeResults = async (file: string, results: Results): Promise<void> => {
  const unfinished = `${file}.unfinished`;
  await writeFile(unfinished, `${JSON.stringify(results, null, 2)}\n`);
  await rename(unfinished, file);
};

/** The new records in place of the old ones of the same scenarios, in the order given. */
export const mergeResults = (
  old: Results | undefined,
  fresh: readonly ScenarioRecord[],
  order: readonly string[],
): Results => {
  const byName = new Map([...(old?.scenarios ?? []), ...fresh].map((record) => [record.name, record]));
  return { scenarios: order.flatMap((name) => byName.get(name) ?? []) };
};
