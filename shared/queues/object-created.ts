import * as z from "zod";

/** What S3 says of a new object, as much of it as is used. Keys are encoded as in a form: a plus is a blank. */
const newObjectSchema = z.object({
  s3: z.object({
    object: z.object({
      key: z.string().transform((key) => decodeURIComponent(key.replaceAll("+", " "))),
      versionId: z.string().optional(),
    }),
  }),
  eventTime: z.coerce.date(),
});

/** New objects (docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html). */
export const objectsCreatedSchema = z.object({ Records: z.array(newObjectSchema) });

/** Sent by S3 when the notification is set up: it has no records. */
export const s3TestEventSchema = z.object({ Event: z.literal("s3:TestEvent") });

export type NewObject = z.output<typeof newObjectSchema>;
