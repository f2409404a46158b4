import * as z from "zod";

/** What S3 says of a new object, as much of it as is used. Keys are encoded as in a form: a plus is a blank. */
const s3RecordSchema = z.object({
  s3: z.object({
    object: z.object({
      key: z.string().transform((key) => decodeURIComponent(key.replaceAll("+", " "))),
      versionId: z.string().optional(),
    }),
  }),
  eventTime: z.coerce.date(),
});

/** New objects (docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html). */
const s3EventSchema = z.object({ Records: z.array(s3RecordSchema) });

/** Sent by S3 when the notification is set up: it has no records. */
const s3TestEventSchema = z.object({ Event: z.literal("s3:TestEvent") });

/** A file that the loader queued again: behind another one of its promocode, or near its time limit. */
const againSchema = z.object({ promocodeId: z.string(), fileId: z.string(), waits: z.int().min(0) });

export const messageSchema = z.union([s3EventSchema, againSchema, s3TestEventSchema]);

export type NewObject = z.output<typeof s3RecordSchema>;
export type LoadAgain = z.output<typeof againSchema>;
