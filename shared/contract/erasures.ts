import * as z from "zod";
import { generatedIdSchema, timestampSchema } from "./conventions.ts";

/** How long an erasure that succeeded can be looked up, in days; until then the last backups that name the person are gone. */
export const erasureLifeDays = 90;

/** How long exports and audiences that were made before can be downloaded: their own lives, in days. */
export const filesLifeDays = 7;

/** How far back the table can be restored, in days. */
export const backupLifeDays = 35;

const count = z.int().min(0);

const example = {
  erasureId: "era_01KA5SE6B2D4F6H8K0M2P4R6T8",
  status: "succeeded",
  progress: { round: 2, promocodes: 118 },
  erased: { codes: 3, intents: 1, defaultCodes: 2 },
  createdAt: "2026-11-23T11:00:00.000Z",
  completedAt: "2026-11-23T11:16:31.204Z",
  filesUntil: "2026-11-30T11:16:31.204Z",
  backupsUntil: "2026-12-28T11:16:31.204Z",
} as const;

export const erasureSchema = z
  .strictObject({
    erasureId: generatedIdSchema("era"),
    status: z.enum(["queued", "running", "succeeded", "failed"]),
    progress: z
      .strictObject({
        round: count.describe("Which look at all promocodes it is; 0 before the first."),
        promocodes: count.describe("Promocodes looked through in this round."),
      })
      .describe(
        "An erasure looks at every promocode at least twice, the last time without finding anything.",
      ),
    erased: z.strictObject({
      codes: count.describe("Codes that stay used and are nobody's any more."),
      intents: count.describe("Notes of where a code of the person is, removed."),
      defaultCodes: count.describe("Records of default codes given, removed."),
    }),
    nextRoundAt: timestampSchema
      .optional()
      .describe("While it waits for calls to end that were under way: when it looks again."),
    createdAt: timestampSchema,
    completedAt: timestampSchema.optional(),
    filesUntil: timestampSchema
      .optional()
      .describe(
        "Once it succeeded: until when an export or an audience's result from before, which may name the person, can be downloaded at the latest.",
      ),
    backupsUntil: timestampSchema
      .optional()
      .describe("Once it succeeded: until when the table's backups can hold the person."),
    failure: z.strictObject({ code: z.literal("erasure-failed"), message: z.string() }).optional(),
  })
  .meta({ id: "Erasure", description: "The erasure of a person. It does not say whose it is.", example });

export type Erasure = z.infer<typeof erasureSchema>;

export const erasurePath = z.strictObject({ erasureId: generatedIdSchema("era") });
