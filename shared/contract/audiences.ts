import * as z from "zod";
import { csvFileNameSchema, uploadSchema } from "./code-files.ts";
import {
  generatedIdSchema,
  identifierSchema,
  idSchema,
  maxFileBytes,
  pageQuery,
  timestampSchema,
} from "./conventions.ts";
import { exportColumns, exportLifeDays } from "./exports.ts";

/** How long an audience, its file and its result are kept, in days: as exports, because they name customers too. */
export const audienceLifeDays = exportLifeDays;

/** Most different customers that one file may name. */
export const maxCustomersPerAudience = 10_000_000;

export const audienceStatuses = ["awaiting-upload", "queued", "running", "succeeded", "failed"] as const;

/** The result's first line: the columns of an export, then where the code came from. */
export const audienceColumns = [...exportColumns, "source"] as const;

/** Why an audience failed as a whole. The sentence that tells what to do stands beside it in `failure.message`. */
export const audienceFailureCodes = [
  "ambiguous-columns",
  "binary-file",
  "compressed-file",
  "empty-file",
  "file-too-large",
  "no-valid-customers",
  "not-a-csv-file",
  "not-personalized",
  "object-gone",
  "promocode-not-found",
  "promotion-not-active",
  "row-too-long",
  "too-many-customers",
  "unsupported-encoding",
  "unterminated-quote",
  "audience-failed",
] as const;

export type AudienceFailureCode = (typeof audienceFailureCodes)[number];

const count = z.int().min(0);
const absentIsNull = identifierSchema.nullable().describe("Null when the audience was announced without it.");

const announced = {
  audienceId: "aud_01KA5S3C5E7G9J1M3P5R7T9V1X",
  promocodeId: "pcd_01KA5S1B3M9K7T5R2C8VQ0WDXE",
  fileName: "newsletter-subscribers.csv",
  source: "upload",
  mode: "allocate",
  occurenceId: "send-2026-11-23",
  seriesId: null,
  actionId: null,
  status: "awaiting-upload",
  progress: { done: 0, total: 0 },
  rows: { read: 0, customers: 0, repeatedInFile: 0, rejected: 0 },
  summary: { pool: 0, repeated: 0, default: 0, refused: 0 },
  problems: [],
  createdAt: "2026-11-23T09:10:00.000Z",
} as const;

const example = {
  ...announced,
  status: "succeeded",
  progress: { done: 118_204, total: 118_204 },
  rows: { read: 118_310, customers: 118_204, repeatedInFile: 105, rejected: 1 },
  summary: { pool: 92_000, repeated: 7911, default: 18_293, refused: 0 },
  problems: [{ line: 4012, reason: "has a control character inside" }],
  startedAt: "2026-11-23T09:11:02.115Z",
  completedAt: "2026-11-23T09:11:41.902Z",
} as const;

export const audienceSchema = z
  .strictObject({
    audienceId: generatedIdSchema("aud"),
    promocodeId: idSchema,
    fileName: z.string(),
    source: z.enum(["upload", "drop"]),
    mode: z.enum(["allocate", "preview"]),
    occurenceId: absentIsNull,
    seriesId: absentIsNull,
    actionId: absentIsNull,
    status: z.enum(audienceStatuses),
    progress: z
      .strictObject({ done: count, total: count })
      .describe(
        "Customers that are through, of all in the file. `total` grows while the file is read; `done` begins to grow when it was read to its end.",
      ),
    rows: z
      .strictObject({
        read: count.describe("Rows read so far, blank lines and the header left out."),
        customers: count.describe("Different customers among the valid rows: these get a code each."),
        repeatedInFile: count.describe("Rows left out because the file names the customer more than once."),
        rejected: count.describe("Rows left out because they hold no valid customer id."),
      })
      .describe("What the file holds."),
    summary: z
      .strictObject({
        pool: count.describe("Codes handed out by this audience."),
        repeated: count.describe("Customers who had their code before and got it again."),
        default: count.describe("Default codes given because the pool was dry."),
        refused: count.describe(
          "Customers without any code: the pool was dry and is set to refuse, or the promotion stopped being active.",
        ),
      })
      .describe("What became of the customers so far. All zero in a preview, which gives out nothing."),
    preview: z
      .strictObject({
        customers: count.describe("Codes that the audience needs: one for each customer."),
        held: count.describe("Customers who hold their code already."),
        free: count.describe("Codes that were free when the preview was made."),
        missing: count.describe("Customers who would find the pool dry; 0 when it suffices."),
        sentence: z.string().describe("The same for people."),
      })
      .optional()
      .describe("What a `preview` found."),
    problems: z
      .array(z.strictObject({ line: z.int().min(1), reason: z.string() }))
      .max(20)
      .describe("The first 20 rejected rows."),
    rejectsUrl: z
      .url()
      .optional()
      .describe("With more than 20 rejected rows: a CSV of all of them, presigned on this call."),
    failure: z
      .strictObject({ code: z.enum(audienceFailureCodes), message: z.string() })
      .optional()
      .describe("Why it failed and what to do. Codes that it gave out before stay with their customers."),
    downloadUrl: z
      .url()
      .optional()
      .describe(
        "Where the result is, once there is one. Presigned on this call; lives at most 15 minutes. Ask again for a new one.",
      ),
    downloadExpiresAt: timestampSchema.optional(),
    createdAt: timestampSchema,
    startedAt: timestampSchema
      .optional()
      .describe("When the job began: the `timestamp` of every code that it hands out."),
    completedAt: timestampSchema.optional(),
  })
  .meta({
    id: "Audience",
    description: "A CSV file of customers who get a code each, and what became of them.",
    example,
  });

export type Audience = z.infer<typeof audienceSchema>;

export const createAudienceBody = z
  .strictObject({
    fileName: csvFileNameSchema,
    occurenceId: identifierSchema.optional(),
    seriesId: identifierSchema.optional(),
    actionId: identifierSchema.optional(),
    mode: z
      .enum(["allocate", "preview"])
      .default("allocate")
      .describe("`allocate` gives out codes. `preview` writes nothing and says whether the pool suffices."),
  })
  .meta({
    id: "CreateAudience",
    example: { fileName: announced.fileName, occurenceId: announced.occurenceId, mode: "allocate" },
  });

export const createdAudienceSchema = z.strictObject({ audience: audienceSchema, upload: uploadSchema }).meta({
  id: "CreatedAudience",
  example: {
    audience: announced,
    upload: {
      url: "https://uploads.s3.eu-west-1.amazonaws.com/",
      fields: {
        key: `audience-uploads/${announced.promocodeId}/${announced.audienceId}.csv`,
        Policy: "eyJleHBp…",
      },
      maxBytes: maxFileBytes,
      expiresAt: "2026-11-23T09:25:00.000Z",
    },
  },
});

export const listAudiencesQuery = z.strictObject(pageQuery);

export const audiencePath = z.strictObject({ audienceId: generatedIdSchema("aud") });
