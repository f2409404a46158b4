import * as z from "zod";
import { objectsCreatedSchema, s3TestEventSchema } from "../../shared/queues/object-created.ts";

/** A file that the loader queued again: behind another one of its promocode, or near its time limit. */
const againSchema = z.object({ promocodeId: z.string(), fileId: z.string(), waits: z.int().min(0) });

export const messageSchema = z.union([objectsCreatedSchema, againSchema, s3TestEventSchema]);

export type { NewObject } from "../../shared/queues/object-created.ts";
export type LoadAgain = z.output<typeof againSchema>;
