import * as z from "zod";
import { generatedIdSchema, idSchema, momentSchema, pageQuery, timestampSchema } from "./conventions.ts";
import { problemByCode } from "./problems.ts";

/** Every administrative change there is. Names are stored for ever: add some, take none away. */
export const auditActions = [
  "promotion.create",
  "promotion.update",
  "promotion.activate",
  "promotion.deactivate",
  "promotion.archive",
  "promotion.duplicate",
  "promocode.create",
  "promocode.update",
  "code-file.announce",
  "code-file.withdraw",
  "audience.announce",
  "export.request",
  "customer.erase",
  "key.create",
  "key.rotate",
  "key.revoke",
  "counts.recount",
  "dead-letters.redrive",
] as const;

export type AuditAction = (typeof auditActions)[number];

/** What an entry may name as the thing that was changed. A customer is not among them. */
export const auditTargetNames = [
  "promotionId",
  "promocodeId",
  "fileId",
  "audienceId",
  "exportId",
  "erasureId",
  "keyId",
] as const;

export type AuditTargets = Partial<Record<(typeof auditTargetNames)[number], string>>;

export const auditOutcomes = ["begun", "done", "refused", "failed"] as const;

export type AuditOutcome = (typeof auditOutcomes)[number];

const id = z.string().optional();
const targets = z
  .strictObject({
    promotionId: id,
    promocodeId: id,
    fileId: id,
    audienceId: id,
    exportId: id,
    erasureId: id,
    keyId: id,
  } satisfies Record<(typeof auditTargetNames)[number], typeof id>)
  .describe("What was changed, made or asked for. Never a customer.");

export const auditEntrySchema = z
  .strictObject({
    auditId: generatedIdSchema("adt"),
    at: timestampSchema,
    action: z.enum(auditActions),
    keyId: z.string().nullable().describe("The API key that asked; null for a command."),
    operator: z.string().nullable().describe("Who ran the command; null for a call."),
    targets,
    requestId: z.string().nullable().describe("The call's, as in the logs; null for a command."),
    outcome: z
      .enum(auditOutcomes)
      .describe(
        "`done`; `refused`: nothing was changed; `failed`: the service failed, it may be changed in part; `begun`: how it ended was not recorded, because the service crashed or ran out of time, so it may be changed.",
      ),
    status: z.int().nullable().describe("The answer's; null for a command and while `begun`."),
    code: z
      .enum(Object.keys(problemByCode) as [keyof typeof problemByCode])
      .nullable()
      .describe("Why it was refused, or how it failed; else null."),
    fields: z
      .record(z.string(), z.unknown())
      .describe("What was asked for: the body, with long texts and long lists cut."),
  })
  .meta({
    id: "AuditEntry",
    description: "An administrative change: who, when, what.",
    example: {
      auditId: "adt_01KA5SD1V8C3X5Z7B9D1F3H5K7",
      at: "2026-11-23T09:00:00.000Z",
      action: "promotion.activate",
      keyId: "key_01KA5RZ8G2E4A6C8V0X2Z4B6D8",
      operator: null,
      targets: { promotionId: "prm_01KA5S0M7E8Q4V2B9Z6XH3TYWN" },
      requestId: "7c1f0d4e-6f52-4f0e-9c32-3a1b4f6f8f0a",
      outcome: "done",
      status: 200,
      code: null,
      fields: {},
    },
  });

export type AuditEntry = z.infer<typeof auditEntrySchema>;

export const listAuditEntriesQuery = z
  .strictObject({
    from: momentSchema.optional().describe("Only changes asked for at this moment or later."),
    to: momentSchema.optional().describe("Only changes asked for before this moment."),
    keyId: idSchema.optional().describe("Only what this API key asked for."),
    action: z.enum(auditActions).optional(),
    targetId: idSchema
      .optional()
      .describe("Only changes of this promotion, promocode, code file, audience, export or API key."),
    ...pageQuery,
  })
  .refine(({ from, to }) => !from || !to || Date.parse(from) < Date.parse(to), {
    path: ["to"],
    message: "must be later than from",
  });
