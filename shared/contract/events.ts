import * as z from "zod";
import { audienceFailureCodes } from "./audiences.ts";
import { fileFailureCodes } from "./code-files.ts";
import { generatedIdSchema, idSchema, timestampSchema } from "./conventions.ts";

/** The `source` of every event that the service puts on its bus. */
export const eventSource = "codewell";

const count = z.int().min(0);
const example = {
  promocodeId: "pcd_01KA5S1B3M9K7T5R2C8VQ0WDXE",
  promotionId: "prm_01KA5S0M7E8Q4V2B9Z6XH3TYWN",
  fileId: "fil_01KA5S2H4N6P8R0T2V4X6Z8A0C",
  exportId: "exp_01KA5S9Y1Q3S5V7X9Z1B3D5F7H",
  audienceId: "aud_01KA5S3C5E7G9J1M3P5R7T9V1X",
  occurredAt: "2026-11-23T09:20:11.402Z",
};

const common = {
  version: z
    .literal(1)
    .describe("Of this detail. Fields may be added to it; what would break a reader is a 2."),
  eventId: z
    .string()
    .describe("The same when the event is delivered again: keep it for a while, and drop what you know."),
  occurredAt: timestampSchema.describe("When it happened. UTC, RFC 3339 with milliseconds."),
  message: z.string().describe("What happened and what to do, for people. Its words may change."),
};
const ofPromocode = { promocodeId: idSchema, promotionId: idSchema };
const level = z.enum(["promocode", "file"]);
const fileOfExport = generatedIdSchema("fil").nullable().describe("Null when it is of the whole promocode.");
const mode = z.enum(["allocate", "preview"]);
const summary = z
  .object({ pool: count, repeated: count, default: count, refused: count })
  .describe("What became of the customers, as `GET /v1/audiences/{audienceId}` tells it.");

/** Neither a customer's id nor a code is in any of them. */
export const events = {
  PoolLow: {
    when: "The codes left reached `lowPoolThreshold` or `lowPoolPercent` of the promocode, each for itself. Once; again after a refill has lifted the pool above it.",
    detail: z
      .object({
        ...common,
        ...ofPromocode,
        by: z.enum(["count", "percent"]).describe("Which threshold was reached."),
        threshold: z.number().min(0).describe("Its value: codes, or percent of `total`."),
        available: count.describe("Codes that can still be given out."),
        total: count.describe("All codes of the pool, given out or not."),
      })
      .meta({
        id: "PoolLow",
        example: {
          version: 1,
          eventId: `PoolLow/${example.promocodeId}/1`,
          occurredAt: example.occurredAt,
          message: `Promocode ${example.promocodeId} has 1,000 of 50,000 codes left: its threshold of 1,000 codes is reached. Load another file before it runs dry.`,
          promocodeId: example.promocodeId,
          promotionId: example.promotionId,
          by: "count",
          threshold: 1000,
          available: 1000,
          total: 50_000,
        },
      }),
  },
  PoolDry: {
    when: "The last code of a pool is gone: given out, or withdrawn. Once; again after a refill.",
    detail: z
      .object({
        ...common,
        ...ofPromocode,
        total: count.describe("All codes that the pool had."),
        onExhausted: z.enum(["default", "refuse"]).describe("What customers get from now on."),
      })
      .meta({
        id: "PoolDry",
        example: {
          version: 1,
          eventId: `PoolDry/${example.promocodeId}/2`,
          occurredAt: example.occurredAt,
          message: `Promocode ${example.promocodeId} has none of its 50,000 codes left: customers get the default code from now on. Load another file.`,
          promocodeId: example.promocodeId,
          promotionId: example.promotionId,
          total: 50_000,
          onExhausted: "default",
        },
      }),
  },
  DefaultCodesGiven: {
    when: "The first customer got the default code because the pool was dry, or had no file yet. Once; again after a refill.",
    detail: z
      .object({
        ...common,
        ...ofPromocode,
        defaultsGiven: count.describe(
          "Default codes that the promocode has given so far, in all dry periods.",
        ),
      })
      .meta({
        id: "DefaultCodesGiven",
        example: {
          version: 1,
          eventId: `DefaultCodesGiven/${example.promocodeId}/3`,
          occurredAt: example.occurredAt,
          message: `Customers of promocode ${example.promocodeId} get its default code now, because it has no code left: 14 so far. Load another file; whoever asks again after that gets a code of their own.`,
          promocodeId: example.promocodeId,
          promotionId: example.promotionId,
          defaultsGiven: 14,
        },
      }),
  },
  CodeFileLoaded: {
    when: "A code file is `ready`: its codes are in the pool.",
    detail: z
      .object({
        ...common,
        promocodeId: idSchema,
        fileId: generatedIdSchema("fil"),
        source: z.enum(["upload", "drop"]),
        codes: count.describe("Codes that the file brought into the pool."),
        duplicatesInFile: count,
        duplicatesInPool: count,
        rejected: count.describe("Rows that are no valid code; the file's record names them."),
      })
      .meta({
        id: "CodeFileLoaded",
        example: {
          version: 1,
          eventId: `CodeFileLoaded/${example.fileId}`,
          occurredAt: example.occurredAt,
          message: `File ${example.fileId} brought 50,000 codes into promocode ${example.promocodeId}.`,
          promocodeId: example.promocodeId,
          fileId: example.fileId,
          source: "upload",
          codes: 50_000,
          duplicatesInFile: 1,
          duplicatesInPool: 1,
          rejected: 1,
        },
      }),
  },
  CodeFileFailed: {
    when: "A code file is `failed`: nothing of it is in the pool.",
    detail: z
      .object({
        ...common,
        promocodeId: idSchema,
        fileId: generatedIdSchema("fil"),
        source: z.enum(["upload", "drop"]),
        failureCode: z.enum(fileFailureCodes),
      })
      .meta({
        id: "CodeFileFailed",
        example: {
          version: 1,
          eventId: `CodeFileFailed/${example.fileId}`,
          occurredAt: example.occurredAt,
          message: `File ${example.fileId} of promocode ${example.promocodeId} failed with unsupported-encoding: nothing of it is in the pool. Its record says what to do: GET /v1/promocodes/${example.promocodeId}/files/${example.fileId}`,
          promocodeId: example.promocodeId,
          fileId: example.fileId,
          source: "drop",
          failureCode: "unsupported-encoding",
        },
      }),
  },
  ExportReady: {
    when: "An export is `succeeded` and can be downloaded.",
    detail: z
      .object({
        ...common,
        exportId: generatedIdSchema("exp"),
        level,
        ...ofPromocode,
        fileId: fileOfExport,
        rows: count,
        bytes: count,
        sha256: z.string().describe("Hex digest of the file."),
      })
      .meta({
        id: "ExportReady",
        example: {
          version: 1,
          eventId: `ExportReady/${example.exportId}`,
          occurredAt: example.occurredAt,
          message: `Export ${example.exportId} of promocode ${example.promocodeId} is ready, with 1,204 rows: GET /v1/exports/${example.exportId}`,
          exportId: example.exportId,
          level: "promocode",
          promocodeId: example.promocodeId,
          promotionId: example.promotionId,
          fileId: null,
          rows: 1204,
          bytes: 201_318,
          sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        },
      }),
  },
  ExportFailed: {
    when: "An export is `failed`.",
    detail: z
      .object({
        ...common,
        exportId: generatedIdSchema("exp"),
        level,
        ...ofPromocode,
        fileId: fileOfExport,
      })
      .meta({
        id: "ExportFailed",
        example: {
          version: 1,
          eventId: `ExportFailed/${example.exportId}`,
          occurredAt: example.occurredAt,
          message: `Export ${example.exportId} of promocode ${example.promocodeId} failed. Its record says what to do: GET /v1/exports/${example.exportId}`,
          exportId: example.exportId,
          level: "file",
          promocodeId: example.promocodeId,
          promotionId: example.promotionId,
          fileId: example.fileId,
        },
      }),
  },
  AudienceReady: {
    when: "An audience is `succeeded`: its result can be downloaded, or its preview be read.",
    detail: z
      .object({
        ...common,
        audienceId: generatedIdSchema("aud"),
        ...ofPromocode,
        mode,
        customers: count.describe("Different customers in the file."),
        summary,
        missing: count
          .nullable()
          .describe("Of a preview: customers who would find the pool dry. Null when codes were given out."),
      })
      .meta({
        id: "AudienceReady",
        example: {
          version: 1,
          eventId: `AudienceReady/${example.audienceId}`,
          occurredAt: example.occurredAt,
          message: `Audience ${example.audienceId} of promocode ${example.promocodeId} is done: 118,204 customers, 92,000 new codes, 7,911 codes that they held already, 18,293 default codes, 0 refused. Its result: GET /v1/audiences/${example.audienceId}`,
          audienceId: example.audienceId,
          promocodeId: example.promocodeId,
          promotionId: example.promotionId,
          mode: "allocate",
          customers: 118_204,
          summary: { pool: 92_000, repeated: 7911, default: 18_293, refused: 0 },
          missing: null,
        },
      }),
  },
  AudienceFailed: {
    when: "An audience is `failed`. Codes that it gave out before stay with their customers.",
    detail: z
      .object({
        ...common,
        audienceId: generatedIdSchema("aud"),
        ...ofPromocode,
        mode,
        failureCode: z.enum(audienceFailureCodes),
        summary,
      })
      .meta({
        id: "AudienceFailed",
        example: {
          version: 1,
          eventId: `AudienceFailed/${example.audienceId}`,
          occurredAt: example.occurredAt,
          message: `Audience ${example.audienceId} of promocode ${example.promocodeId} failed with promotion-not-active. Its record says what to do: GET /v1/audiences/${example.audienceId}`,
          audienceId: example.audienceId,
          promocodeId: example.promocodeId,
          promotionId: example.promotionId,
          mode: "allocate",
          failureCode: "promotion-not-active",
          summary: { pool: 0, repeated: 0, default: 0, refused: 0 },
        },
      }),
  },
  DeadLetter: {
    when: "A job gave a message up: it is in the dead letters, and work waits for a person.",
    detail: z
      .object({
        ...common,
        queue: z.string().describe("The queue's name in the account."),
        messageId: z.string().describe("Of the message, as the function's log has it."),
        deliveries: z.int().min(1).describe("How often it was tried."),
      })
      .meta({
        id: "DeadLetter",
        example: {
          version: 1,
          eventId: "DeadLetter/059f36b4-87a3-44ab-83d2-661975830a7d",
          occurredAt: example.occurredAt,
          message:
            'A message of queue Codewell-prod-LoadingQueue failed 6 times and is in its dead letters. Look for 059f36b4-87a3-44ab-83d2-661975830a7d in the function\'s log, mend the cause and send it back: docs/operations.md, "Queues and dead letters".',
          queue: "Codewell-prod-LoadingQueue",
          messageId: "059f36b4-87a3-44ab-83d2-661975830a7d",
          deliveries: 6,
        },
      }),
  },
} as const satisfies Record<string, EventDefinition>;

/** One kind of event: when it is told, and the `detail` that it carries, with an example. */
export interface EventDefinition {
  readonly when: string;
  readonly detail: z.ZodObject;
}

/** The `detail-type` of an event. */
export type EventName = keyof typeof events;

export const eventNames = Object.keys(events) as EventName[];

export type EventDetail<Name extends EventName> = z.infer<(typeof events)[Name]["detail"]>;

/** The event as EventBridge delivers it, and as a topic's subscribers get it. */
export const deliveredEventSchema = (name: EventName) =>
  z.object({
    version: z.literal("0"),
    id: z.string().describe("EventBridge's own: another one when the event is delivered again."),
    "detail-type": z.literal(name),
    source: z.literal(eventSource),
    account: z.string(),
    time: z.string().describe("When it happened, to the second."),
    region: z.string(),
    resources: z.array(z.string()).describe("Always empty."),
    detail: events[name].detail,
  });

/** What EventBridge makes of the example of a detail. */
export const deliveredExample = (name: EventName) => {
  const detail = events[name].detail.meta()?.example as EventDetail<EventName>;
  return {
    version: "0",
    id: "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": name,
    source: eventSource,
    account: "111122223333",
    time: detail.occurredAt.replace(/\.\d+Z$/, "Z"),
    region: "eu-west-1",
    resources: [],
    detail,
  };
};
