import * as z from "zod";

/** Every refusal of the service and of the gateway: its status and title. The code is the key. */
export const problemByCode = {
  "malformed-json": { status: 400, title: "The body is not valid JSON" },
  "invalid-request": { status: 400, title: "The request does not match the contract" },
  "invalid-cursor": { status: 400, title: "The cursor does not belong to this list" },
  unauthorized: { status: 401, title: "A valid API key is needed" },
  forbidden: { status: 403, title: "The API key does not allow this" },
  "not-found": { status: 404, title: "There is nothing at this path" },
  "promotion-not-found": { status: 404, title: "No such promotion" },
  "promocode-not-found": { status: 404, title: "No such promocode" },
  "code-file-not-found": { status: 404, title: "No such code file" },
  "code-not-found": { status: 404, title: "No such code in this promocode" },
  "audience-not-found": { status: 404, title: "No such audience" },
  "export-not-found": { status: 404, title: "No such export" },
  "erasure-not-found": { status: 404, title: "No such erasure" },
  "method-not-allowed": { status: 405, title: "This path does not answer that method" },
  "id-taken": { status: 409, title: "The id is taken" },
  "code-taken": { status: 409, title: "The code is taken" },
  "promotion-archived": { status: 409, title: "The promotion is archived" },
  "promotion-not-active": { status: 409, title: "The promotion is not active" },
  "pool-exhausted": { status: 409, title: "No codes are left" },
  "not-personalized": { status: 409, title: "The promocode is global" },
  "code-file-loading": { status: 409, title: "The code file is being loaded" },
  "request-in-progress": {
    status: 409,
    title: "The first request with this Idempotency-Key is still being answered",
  },
  "body-too-large": { status: 413, title: "The body is too large" },
  "unsupported-media-type": { status: 415, title: "The body is not JSON" },
  "idempotency-key-reused": { status: 422, title: "The Idempotency-Key was used for another request" },
  "too-many-requests": { status: 429, title: "Too many requests" },
  "internal-error": { status: 500, title: "Something went wrong on our side" },
  "bad-gateway": { status: 502, title: "The service gave no usable answer" },
  unavailable: { status: 503, title: "The service is busy" },
  "gateway-timeout": { status: 504, title: "The service took too long" },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

/** A refusal's name: stable, for programs to tell refusals apart. */
export type ProblemCode = keyof typeof problemByCode;

/** The problem's `type`: a name, not an address, because each company runs its own service. RFC 9457, section 3.1.1. */
export const problemType = (code: ProblemCode): string => `urn:codewell:problem:${code}`;

const problemCodes = Object.keys(problemByCode) as [ProblemCode, ...ProblemCode[]];

export const problemSchema = z
  .strictObject({
    type: z.string().describe("`urn:codewell:problem:` and the code."),
    title: z.string().describe("The same sentence for every problem of this code."),
    status: z.int(),
    detail: z.string().describe("What happened this time and what to do."),
    instance: z.string().describe("The request's id: tell it to whoever operates the service."),
    code: z.enum(problemCodes),
    errors: z
      .array(
        z.strictObject({
          pointer: z.string().describe("JSON Pointer (RFC 6901) into the body, or the parameter's name."),
          message: z.string(),
        }),
      )
      .optional(),
  })
  .meta({
    id: "Problem",
    description: "RFC 9457 problem details.",
    example: {
      type: "urn:codewell:problem:promotion-not-active",
      title: "The promotion is not active",
      status: 409,
      detail: "Promotion prm_01KA0000000000000000000000 is deactivated. Activate it, then try again.",
      instance: "7c1f0d4e-6f52-4f0e-9c32-3a1b4f6f8f0a",
      code: "promotion-not-active",
    },
  });

/** An RFC 9457 answer body. */
export type Problem = z.infer<typeof problemSchema>;
