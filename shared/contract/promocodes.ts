import * as z from "zod";
import { idSchema, pageQuery, sharedCodeSchema, timestampSchema } from "./conventions.ts";

export const allocationMethods = ["Consistent", "Varying"] as const;

export type AllocationMethod = (typeof allocationMethods)[number];

const allocationMethod = z
  .enum(allocationMethods)
  .describe(
    "`Consistent`: a customer gets the same code each time, over all campaigns, files and refills. `Varying`: a new code on every trigger. A change applies to later calls and keeps every earlier allocation.",
  );
const defaultCode = sharedCodeSchema.describe(
  "What customers get while the pool is dry. Generated when absent.",
);
const onExhausted = z
  .enum(["default", "refuse"])
  .describe("What a dry pool does: give the default code, or refuse with `pool-exhausted`.");
const lowPoolThreshold = z
  .int()
  .min(0)
  .max(1_000_000_000)
  .describe("Codes left at which the pool counts as low: the event `PoolLow` tells it, once.");
const lowPoolPercent = z
  .int()
  .min(0)
  .max(100)
  .describe(
    "The same in percent of `pool.total`. Both may be set: each is told for itself, an early warning and a late one.",
  );

export const uniqueCodesSchema = z
  .strictObject({
    allocationMethod,
    defaultCode,
    onExhausted,
    lowPoolThreshold: lowPoolThreshold.optional(),
    lowPoolPercent: lowPoolPercent.optional(),
  })
  .meta({ id: "UniqueCodes" });

/** How a personalized promocode hands out its unique codes. */
export type UniqueCodes = z.infer<typeof uniqueCodesSchema>;

export const poolCountsSchema = z
  .strictObject({
    total: z.int().describe("Codes that files brought and that were not withdrawn unused."),
    allocated: z.int().describe("Codes that a customer holds."),
    available: z.int().describe("Codes that can still be given out."),
    defaultsGiven: z.int().describe("How often the default code was given because the pool was dry."),
    asOf: timestampSchema.describe(
      "When the newest change in these figures was counted; they follow an allocation by a second or two.",
    ),
  })
  .meta({ id: "PoolCounts" });

export type PoolCounts = z.infer<typeof poolCountsSchema>;

const example = {
  promocodeId: "pcd_01KA5S1B3M9K7T5R2C8VQ0WDXE",
  promotionId: "prm_01KA5S0M7E8Q4V2B9Z6XH3TYWN",
  type: "personalized",
  uniqueCodes: {
    allocationMethod: "Consistent",
    defaultCode: "TAKE10",
    onExhausted: "default",
    lowPoolThreshold: 1000,
  },
  pool: {
    total: 50000,
    allocated: 1204,
    available: 48796,
    defaultsGiven: 0,
    asOf: "2026-11-23T09:20:11.402Z",
  },
  createdAt: "2026-11-23T09:00:00.000Z",
  updatedAt: "2026-11-23T09:00:00.000Z",
} as const;

export const promocodeSchema = z
  .strictObject({
    promocodeId: idSchema,
    promotionId: idSchema,
    type: z.enum(["global", "personalized"]),
    code: sharedCodeSchema.optional().describe("The shared code of a `global` promocode."),
    uniqueCodes: uniqueCodesSchema.optional().describe("Settings of a `personalized` promocode."),
    pool: poolCountsSchema.optional().describe("Counts of a `personalized` promocode."),
    createdAt: timestampSchema,
    updatedAt: timestampSchema,
  })
  .meta({
    id: "Promocode",
    description: "A global code, or a pool of unique codes, attached to a promotion.",
    example,
  });

export type Promocode = z.infer<typeof promocodeSchema>;

const uniqueCodesSettings = z.strictObject({
  allocationMethod: allocationMethod.optional(),
  defaultCode: defaultCode.optional(),
  onExhausted: onExhausted.optional(),
  lowPoolThreshold: lowPoolThreshold.optional(),
  lowPoolPercent: lowPoolPercent.optional(),
});

export const createPromocodeBody = z
  .strictObject({
    promotionId: idSchema,
    type: z.enum(["global", "personalized"]),
    promocodeId: idSchema.optional().describe("Your own id; one is made when absent."),
    code: sharedCodeSchema
      .optional()
      .describe(
        "Needed for `global`, refused for `personalized`. Unique over the service, regardless of case.",
      ),
    uniqueCodes: uniqueCodesSettings.optional().describe("Only for `personalized`."),
  })
  .check((context) => {
    const { type, code, uniqueCodes } = context.value;
    const refuse = (path: string, message: string) =>
      context.issues.push({ code: "custom", path: [path], message, input: context.value });
    if (type === "global" && code === undefined) refuse("code", "is required for a global promocode");
    if (type === "personalized" && code !== undefined)
      refuse("code", "must be absent for a personalized promocode: its codes come from files");
    if (type === "global" && uniqueCodes !== undefined)
      refuse("uniqueCodes", "must be absent for a global promocode");
  })
  .meta({
    id: "CreatePromocode",
    // The rules of the check, in JSON Schema.
    oneOf: [
      {
        title: "Global",
        properties: { type: { const: "global" } },
        required: ["code"],
        not: { required: ["uniqueCodes"] },
      },
      {
        title: "Personalized",
        properties: { type: { const: "personalized" } },
        not: { required: ["code"] },
      },
    ],
    example: {
      promotionId: "prm_01KA5S0M7E8Q4V2B9Z6XH3TYWN",
      type: "personalized",
      uniqueCodes: { allocationMethod: "Consistent", defaultCode: "TAKE10" },
    },
  });

export const updatePromocodeBody = z
  .strictObject({
    uniqueCodes: uniqueCodesSettings
      .refine((settings) => Object.keys(settings).length > 0, "must name at least one setting to change")
      .meta({ minProperties: 1 }),
  })
  .meta({ id: "UpdatePromocode", example: { uniqueCodes: { allocationMethod: "Varying" } } });

export const listPromocodesQuery = z.strictObject({
  promotionId: idSchema.optional(),
  code: sharedCodeSchema
    .optional()
    .describe("A global code, regardless of case: the list holds its promocode or nothing."),
  ...pageQuery,
});

export const promocodePath = z.strictObject({ promocodeId: idSchema });
