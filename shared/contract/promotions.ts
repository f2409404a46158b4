import * as z from "zod";
import { idSchema, pageQuery, textSchema, timestampSchema } from "./conventions.ts";

export const promotionStatuses = ["draft", "active", "deactivated", "archived"] as const;

/** One line of text; blanks and line breaks around it are permitted here, because they are left out. */
const name = z
  .string()
  .regex(
    /^\s*(?!\s)[^\p{Cc}\p{Cs}]{1,200}(?<!\s)\s*$/u,
    "must be 1 to 200 characters of well-formed Unicode without control characters",
  )
  .trim()
  .describe("Blanks at its ends are left out.");
const description = textSchema(2000);
const maxMetadataEntries = 50;
const maxMetadataKey = 64;
const metadata = z
  .record(textSchema(maxMetadataKey).min(1, "must not be empty"), textSchema(1000))
  .refine((pairs) => Object.keys(pairs).length <= maxMetadataEntries, "must have at most 50 entries")
  // Every allocation reads the promotion: what it carries is paid for a million times.
  .refine((pairs) => [...JSON.stringify(pairs)].length <= 4_000, "must have at most 4,000 characters as JSON")
  // What the rules above are in JSON Schema, as far as it has words for them.
  .meta({
    maxProperties: maxMetadataEntries,
    propertyNames: {
      minLength: 1,
      maxLength: maxMetadataKey,
      pattern: "^\\P{Cs}*$",
      not: { const: "__proto__" },
    },
  })
  .describe("Up to 50 strings of your own, 4,000 characters together as JSON, kept as given.");

const example = {
  promotionId: "prm_01KA5S0M7E8Q4V2B9Z6XH3TYWN",
  name: "Autumn sale",
  description: "Ten percent for everyone who left a basket",
  metadata: { campaign: "autumn-2026" },
  status: "active",
  createdAt: "2026-11-23T09:00:00.000Z",
  updatedAt: "2026-11-23T09:00:00.000Z",
} as const;

export const promotionSchema = z
  .strictObject({
    promotionId: idSchema,
    name,
    description: description.optional(),
    metadata: metadata.optional(),
    status: z
      .enum(promotionStatuses)
      .describe(
        "`draft` -> `active` <-> `deactivated` -> `archived`. Codes are given out only while `active`.",
      ),
    createdAt: timestampSchema,
    updatedAt: timestampSchema,
  })
  .meta({ id: "Promotion", description: "What a marketer runs: codes are attached to it.", example });

export type Promotion = z.infer<typeof promotionSchema>;

export const createPromotionBody = z
  .strictObject({
    name,
    promotionId: idSchema.optional().describe("Your own id; one is made when absent."),
    description: description.optional(),
    metadata: metadata.optional(),
    status: z.enum(["draft", "active"]).default("draft"),
  })
  .meta({ id: "CreatePromotion", example: { name: "Autumn sale", status: "active" } });

export const updatePromotionBody = z
  .strictObject({ name: name.optional(), description: description.optional(), metadata: metadata.optional() })
  .refine((changes) => Object.keys(changes).length > 0, "must name at least one field to change")
  .meta({ id: "UpdatePromotion", minProperties: 1, example: { name: "Autumn sale, second week" } });

export const listPromotionsQuery = z.strictObject({
  status: z.enum(promotionStatuses).optional(),
  ...pageQuery,
});

export const promotionPath = z.strictObject({ promotionId: idSchema });
