import * as z from "zod";
import { identifierSchema, idSchema, pageQuery, timestampSchema, uniqueCodeSchema } from "./conventions.ts";
import { problemSchema } from "./problems.ts";

const context = {
  occurenceId: identifierSchema.optional(),
  seriesId: identifierSchema.optional(),
  actionId: identifierSchema.optional(),
};

export const allocateCodeBody = z
  .strictObject({ customerId: identifierSchema, ...context })
  .meta({ id: "AllocateCode", example: { customerId: "customer-42", occurenceId: "send-2026-11-23" } });

export type AllocateCode = z.infer<typeof allocateCodeBody>;

const absentIsNull = identifierSchema.nullable().describe("Null when the call did not name it.");

const example = {
  customerId: "customer-42",
  promocodeId: "pcd_01KA5S1B3M9K7T5R2C8VQ0WDXE",
  promotionId: "prm_01KA5S0M7E8Q4V2B9Z6XH3TYWN",
  fileId: "fil_01KA5S2H4N6P8R0T2V4X6Z8A0C",
  uniqueCode: "SAVE-7Q2X-11",
  timestamp: "2026-11-23T09:15:30.120Z",
  occurenceId: "send-2026-11-23",
  seriesId: null,
  actionId: null,
  source: "pool",
  repeated: false,
} as const;

export const allocationSchema = z
  .strictObject({
    customerId: identifierSchema,
    promocodeId: idSchema,
    promotionId: idSchema,
    fileId: z
      .string()
      .nullable()
      .describe("The file that brought the code; null for a default or global code."),
    uniqueCode: z.string(),
    timestamp: timestampSchema.describe("When the code was handed out; the first time's when `repeated`."),
    occurenceId: absentIsNull,
    seriesId: absentIsNull,
    actionId: absentIsNull,
    source: z
      .enum(["pool", "default", "global"])
      .describe(
        "`pool`: a code of the customer's own. `default`: the pool was dry. `global`: the shared code.",
      ),
    repeated: z.boolean().describe("True when the customer had this code before the call."),
  })
  .meta({ id: "Allocation", description: "Who got which code, when and why.", example });

export type Allocation = z.infer<typeof allocationSchema>;

export const allocateCodesBody = z
  .strictObject({ allocations: z.array(allocateCodeBody).min(1).max(1000) })
  .meta({
    id: "AllocateCodes",
    example: { allocations: [{ customerId: "customer-42" }, { customerId: "customer-43" }] },
  });

export const allocatedCodesSchema = z
  .strictObject({
    results: z
      .array(
        z.union([
          allocationSchema,
          z
            .strictObject({ customerId: identifierSchema, problem: problemSchema })
            .meta({ id: "FailedAllocation" }),
        ]),
      )
      .describe("In the order of the request."),
    summary: z.strictObject({
      pool: z.int().describe("Codes handed out now."),
      repeated: z.int().describe("Codes given again."),
      default: z.int().describe("Default or global codes given."),
      failed: z.int(),
    }),
  })
  .meta({
    id: "AllocatedCodes",
    example: { results: [example], summary: { pool: 1, repeated: 0, default: 0, failed: 0 } },
  });

export type AllocatedCodes = z.infer<typeof allocatedCodesSchema>;

export const customerAllocationsOfPromocodeQuery = z.strictObject({
  customerId: identifierSchema,
  ...pageQuery,
});

export const customerPath = z.strictObject({ customerId: identifierSchema });
export const customerAllocationsQuery = z.strictObject(pageQuery);

export const codePath = z.strictObject({ promocodeId: idSchema, uniqueCode: uniqueCodeSchema });

/** The person may have been erased. */
const allocationOfCodeSchema = allocationSchema
  .extend({
    customerId: identifierSchema.nullable().describe("Null when the person who got it was erased."),
  })
  .meta({ id: "AllocationOfCode", description: "Who got the code, when and why.", example });

export const codeSchema = z
  .strictObject({
    uniqueCode: uniqueCodeSchema,
    fileId: z.string(),
    status: z.enum(["available", "allocated", "withdrawn"]),
    allocation: allocationOfCodeSchema.optional(),
  })
  .meta({
    id: "Code",
    example: { uniqueCode: "SAVE-7Q2X-11", fileId: "fil_01KA5S2H4N6P8R0T2V4X6Z8A0C", status: "available" },
  });

export type Code = z.infer<typeof codeSchema>;
