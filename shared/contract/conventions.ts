import * as z from "zod";

/** Longest body that is read, in bytes: contract.md, "body over 1 MB 413". */
export const maxBodyBytes = 1_000_000;

/** How long a presigned upload or download lives, in seconds. */
export const presignedSeconds = 900;

/** Largest code file that is accepted, in bytes. */
export const maxFileBytes = 500 * 1024 * 1024;

/** Most codes that one file may bring. */
export const maxCodesPerFile = 20_000_000;

/** A promotion's or promocode's id: generated (`prm_`, `pcd_` and a ULID) or the caller's own. */
export const idSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 of A-Z, a-z, 0-9, _ and -");

/** An id that only the service makes: its prefix and a ULID. */
export const generatedIdSchema = (prefix: "adt" | "aud" | "era" | "exp" | "fil") =>
  z.string().regex(new RegExp(`^${prefix}_[0-9A-HJKMNP-TV-Z]{26}$`), `must be ${prefix}_ and a ULID`);

/** Ids of the caller's world: customers, occurrences, series, actions. Compared exactly, never normalised. */
export const identifierSchema = z
  .string()
  .regex(
    /^[^\p{Cc}\p{Cs}]{1,128}$/u,
    "must be 1 to 128 characters of well-formed Unicode without control characters",
  );

export const timestampSchema = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
  .meta({
    format: "date-time",
    description: "UTC, RFC 3339 with milliseconds.",
    example: "2026-11-23T09:00:00.000Z",
  });

/** Text for people, at most `most` characters: any Unicode that can be stored, line breaks included. */
export const textSchema = (most: number) =>
  z
    .string()
    .regex(/^\P{Cs}*$/u, "must be well-formed Unicode")
    .max(most, `must have at most ${most} characters`);

const isOutsideOfYears = (moment: Date): boolean =>
  moment.getUTCFullYear() < 0 || moment.getUTCFullYear() > 9999;

/** A moment given by a caller: any RFC 3339 time with an offset. */
export const momentSchema = z.iso
  .datetime({ offset: true, error: "must be an RFC 3339 time with an offset, such as 2026-11-23T09:00:00Z" })
  // An offset can carry the first and the last day out of the years that have four digits, and nothing here stores others.
  .refine((text) => !isOutsideOfYears(new Date(text)), "must be in the years 0000 to 9999 of UTC")
  .meta({ example: "2026-11-23T00:00:00Z" });

/** A unique code: 1 to 128 printable ASCII characters without blanks, kept as given and compared exactly. */
export const uniqueCodeSchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, "must be 1 to 128 printable ASCII characters without blanks");

/** A code that is shared by everyone: no control characters, no blanks at its ends. */
export const sharedCodeSchema = z
  .string()
  .regex(
    /^(?!\s)[^\p{Cc}\p{Cs}]{1,64}(?<!\s)$/u,
    "must be 1 to 64 characters without control characters or blanks at its ends",
  );

export const idempotencyKeySchema = z
  .string()
  .regex(/^[\x20-\x7e]{1,128}$/, "must be 1 to 128 printable ASCII characters");

const pageSize = z
  .int("must be a whole number from 1 to 200")
  .min(1, "must be a whole number from 1 to 200")
  .max(200, "must be a whole number from 1 to 200");

/** Query parameters of every list. */
export const pageQuery = {
  limit: z
    // Only plain digits are a number here: not `0x10`, `1e2` or a blank.
    .preprocess((text) => (typeof text === "string" && /^\d+$/.test(text) ? Number(text) : text), pageSize)
    .default(50)
    .describe("Most items in one answer."),
  cursor: z
    .string()
    .max(2048)
    .optional()
    .describe("`nextCursor` of the answer before. Only for the same list."),
};

/** `{items, nextCursor?}` of one kind of item. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.strictObject({
    items: z.array(item),
    nextCursor: z.string().optional().describe("Present when there is more. Opaque."),
  });
