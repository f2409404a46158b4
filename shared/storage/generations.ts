import * as z from "zod";
import type { Generation } from "../pool/generation.ts";
import { queryAll } from "./query-all.ts";
import { keys, partitions, prefixes } from "./table.ts";

export const generationItemSchema = z.object({
  number: z.int(),
  fileId: z.string(),
  attempt: z.int(),
  codes: z.int(),
  shards: z.int(),
  cellsPerShard: z.int(),
  status: z.enum(["published", "withdrawn"]),
});

export const generationItem = (promocodeId: string, generation: Generation) => ({
  ...keys.generation(promocodeId, generation.number),
  ...generation,
});

/** The promocode's generations by number, strongly consistent. */
export const generationsOf = async (promocodeId: string): Promise<readonly Generation[]> => {
  const items = await queryAll(partitions.promocode(promocodeId), prefixes.generation);
  return items.map((item) => generationItemSchema.parse(item));
};
