import * as z from "zod";
import { generatedIdSchema, momentSchema, timestampSchema } from "./conventions.ts";

/** How long an export can be fetched, in days; then its record and its file are gone. Make it again when needed. */
export const exportLifeDays = 7;

/** The export's first line, in this order: contract.md, "Exports". */
export const exportColumns = [
  "customerId",
  "promocodeId",
  "promotionId",
  "fileId",
  "uniqueCode",
  "timestamp",
  "occurenceId",
  "seriesId",
  "actionId",
] as const;

export const createExportBody = z
  .strictObject({
    from: momentSchema.optional().describe("Only allocations made at this moment or later."),
    to: momentSchema
      .optional()
      .describe("Only allocations made before this moment. Must be later than `from`."),
    formulaSafe: z
      .boolean()
      .default(false)
      .describe(
        "Prefix cells that a spreadsheet would run as a formula (= + - @ tab CR) with an apostrophe.",
      ),
  })
  .refine(({ from, to }) => !from || !to || Date.parse(from) < Date.parse(to), {
    path: ["to"],
    message: "must be later than from",
  })
  .meta({ id: "CreateExport", example: { from: "2026-11-01T00:00:00Z", formulaSafe: true } });

const example = {
  exportId: "exp_01KA5S9Y1Q3S5V7X9Z1B3D5F7H",
  level: "promocode",
  status: "succeeded",
  rows: 1204,
  bytes: 201_318,
  sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  createdAt: "2026-11-23T10:00:00.000Z",
  completedAt: "2026-11-23T10:00:01.950Z",
} as const;

export const exportSchema = z
  .strictObject({
    exportId: generatedIdSchema("exp"),
    level: z.enum(["promocode", "file"]),
    status: z.enum(["queued", "running", "succeeded", "failed"]),
    rows: z.int().min(0).describe("Rows written so far, without the header."),
    bytes: z.int().min(0).describe("Size of the finished file."),
    sha256: z.string().nullable().describe("Hex digest of the finished file; null before."),
    downloadUrl: z
      .url()
      .optional()
      .describe("Presigned on this call; lives at most 15 minutes. Ask again for a new one."),
    downloadExpiresAt: timestampSchema.optional(),
    failure: z.strictObject({ code: z.literal("export-failed"), message: z.string() }).optional(),
    createdAt: timestampSchema,
    completedAt: timestampSchema.optional(),
  })
  .meta({ id: "Export", description: "A CSV of who got which code.", example });

export type Export = z.infer<typeof exportSchema>;

export const queuedExportSchema = z
  .strictObject({ exportId: generatedIdSchema("exp"), status: z.literal("queued") })
  .meta({ id: "QueuedExport", example: { exportId: example.exportId, status: "queued" } });

export const exportPath = z.strictObject({ exportId: generatedIdSchema("exp") });
