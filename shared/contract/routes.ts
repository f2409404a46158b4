import * as z from "zod";
import {
  allocateCodeBody,
  allocateCodesBody,
  allocatedCodesSchema,
  allocationSchema,
  codePath,
  codeSchema,
  customerAllocationsOfPromocodeQuery,
  customerAllocationsQuery,
  customerPath,
} from "./allocations.ts";
import {
  audiencePath,
  audienceSchema,
  createAudienceBody,
  createdAudienceSchema,
  listAudiencesQuery,
} from "./audiences.ts";
import { auditEntrySchema, listAuditEntriesQuery } from "./audit.ts";
import {
  codeFilePath,
  codeFileSchema,
  createCodeFileBody,
  createdCodeFileSchema,
  listCodeFilesQuery,
} from "./code-files.ts";
import { pageOf, timestampSchema } from "./conventions.ts";
import { erasurePath, erasureSchema } from "./erasures.ts";
import { createExportBody, exportPath, exportSchema, queuedExportSchema } from "./exports.ts";
import {
  createPromocodeBody,
  listPromocodesQuery,
  promocodePath,
  promocodeSchema,
  updatePromocodeBody,
} from "./promocodes.ts";
import {
  createPromotionBody,
  listPromotionsQuery,
  promotionPath,
  promotionSchema,
  updatePromotionBody,
} from "./promotions.ts";
import { type Needs, type Route, route, type TableAction } from "./route.ts";

/** What a POST whose answer is kept needs: the Idempotency-Key's record. */
const recorded = ["GetItem", "PutItem", "UpdateItem", "DeleteItem"] as const satisfies readonly TableAction[];

/** What handing out a code needs: settings, cells, marks, intents, contexts, default records. */
const allocating = {
  table: ["BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem"],
} as const satisfies Needs;

const transitionNotes = "Idempotent: a promotion that has the status already is answered as it is.";

const audienceNotes = `Send the file to \`upload\`; the job begins by itself once it is there. The file is CSV in UTF-8 with one customer id in each row, up to 10 million customers and 500 MB. A header is optional; among several columns (commas or, in the header, semicolons or tabs between them) the one named \`customerId\` counts. Ids are taken as they stand, so \`Ada\` and \`ada\` are two customers; rows without a valid id are left out and told in \`problems\`. A customer who stands in the file twice is one customer.

Dropping a file as \`audiences/{promocodeId}/<name>.csv\` into the uploads bucket does the same with mode \`allocate\` and without occurenceId, seriesId and actionId; find it in the list of the promocode's audiences.

Every customer gets a code by the rules of a single call, all with the same identifiers. Under Varying the trigger is \`occurenceId\` with \`seriesId\` and \`actionId\`; without an \`occurenceId\` the audience itself is the trigger, so the same file announced anew gives new codes. A job that crashes goes on where it was, and gives nobody a second code. When the pool runs dry the others get the default code, or none where the promocode is set to refuse, and the result says so row by row.

\`allocate\` takes an active promotion. \`preview\` takes any that is not archived, and gives nothing out.

Of several uploads with one form the first counts. An answer that is given again for its \`Idempotency-Key\` holds the first form, whose 15 minutes may be over: announce the audience again with a new key then. Audience, file and result are kept for 7 days.`;

const audienceResultNotes = `The result is a CSV, UTF-8, RFC 4180, LF: the nine columns of an export, then \`source\`, one row for each customer, in no order. \`source\` is \`pool\` for a code handed out by this audience; \`repeated\` for the code that the customer had before, with the time and the identifiers of back then; \`default\` for a default code; \`refused\` for a customer without any, whose \`uniqueCode\` is empty. So \`summary\` counts the rows by their \`source\`.

A job whose promotion stops being active goes no further: \`failed\` with \`promotion-not-active\`, and its result tells whose codes went out before and who was refused. Announced again when the promotion is active, everybody keeps what they have.`;

const auditNotes = `Every change of promotions and promocodes, every code file and audience announced, every file withdrawn, every export asked for, every person erased, and what was done to API keys, counts and dead letters by commands. An entry is written before the change is made, and how it ended afterwards: what cannot be put on record is not done. Codes handed out by single calls and batches are not in it, they are on record by themselves; nor are calls that were refused before anything was tried, and answers given again for an \`Idempotency-Key\`. Kept for ever, without customer ids.

A page looks through a bounded part of the trail, so it can hold fewer items than \`limit\`, even none, and still have a \`nextCursor\`.`;

const erasureNotes = `Takes the person out of every promocode: in place of their customer id stands nobody, and stays. **Their codes stay used** and go to nobody else; counts do not change. An export made after the erasure shows the code's row as before with an empty \`customerId\`, a look-up of the code \`allocated\` with \`customerId: null\`; a look-up of the customer finds nothing. Times, files and occasions stay on record, without the person. So do not put anything that names a person into \`occurenceId\`, \`seriesId\`, \`actionId\`.

It takes about 16 minutes, because it looks once more when every call has ended that was under way. What was recorded by calls before this one is gone when it has \`succeeded\`. **Whoever asks for a code with that id meanwhile** may be erased along or count as somebody new; afterwards the id is a new person's and may get a new code. Do not send to the person meanwhile: an audience that holds the id gives it a code again whenever it comes to it.

Files that name the person live out their time: exports and audiences 7 days from when they were asked for (an export that was begun before may show the id in some rows and not in others), the table's backups 35 days. \`filesUntil\` and \`backupsUntil\` tell until when.

Can be asked for again at any time, also while it runs: each call is an erasure of its own, that covers what came before it.`;

/** The whole API. Adding a route is one entry here and one folder in `functions/`, named as the key in kebab-case. */
export const routes = {
  createPromotion: route({
    method: "POST",
    path: "/v1/promotions",
    summary: "Create a promotion",
    tag: "Promotions",
    scopes: [],
    body: createPromotionBody,
    answer: promotionSchema,
    statuses: { 201: "The promotion." },
    location: true,
    idempotency: "recorded",
    audit: "promotion.create",
    refusals: ["id-taken"],
    needs: { table: recorded },
  }),
  listPromotions: route({
    method: "GET",
    path: "/v1/promotions",
    summary: "List promotions",
    description: "In the order of their ids, which for generated ids is the order of creation.",
    tag: "Promotions",
    scopes: ["read"],
    query: listPromotionsQuery,
    answer: pageOf(promotionSchema),
    statuses: { 200: "A page of promotions." },
    refusals: ["invalid-cursor"],
    needs: { table: ["GetItem", "PutItem", "Query"] },
  }),
  getPromotion: route({
    method: "GET",
    path: "/v1/promotions/{promotionId}",
    summary: "Get a promotion",
    tag: "Promotions",
    scopes: ["read"],
    pathParameters: promotionPath,
    answer: promotionSchema,
    statuses: { 200: "The promotion." },
    refusals: ["promotion-not-found"],
    needs: { table: ["GetItem"] },
  }),
  updatePromotion: route({
    method: "PATCH",
    path: "/v1/promotions/{promotionId}",
    summary: "Change a promotion's name, description or metadata",
    description: "`metadata` is replaced as a whole.",
    tag: "Promotions",
    scopes: [],
    pathParameters: promotionPath,
    body: updatePromotionBody,
    answer: promotionSchema,
    statuses: { 200: "The promotion as changed." },
    audit: "promotion.update",
    refusals: ["promotion-not-found", "promotion-archived"],
    needs: { table: ["PutItem", "UpdateItem"] },
  }),
  activatePromotion: route({
    method: "PATCH",
    path: "/v1/promotions/{promotionId}/activate",
    summary: "Activate a promotion",
    description: `Codes are given out from the moment of the answer. ${transitionNotes}`,
    tag: "Promotions",
    scopes: [],
    pathParameters: promotionPath,
    answer: promotionSchema,
    statuses: { 200: "The promotion, active." },
    audit: "promotion.activate",
    refusals: ["promotion-not-found", "promotion-archived"],
    needs: { table: ["GetItem", "PutItem", "UpdateItem"] },
  }),
  deactivatePromotion: route({
    method: "PATCH",
    path: "/v1/promotions/{promotionId}/deactivate",
    summary: "Deactivate a promotion",
    description: `Every allocation asked for after the answer is refused. ${transitionNotes} A draft can be deactivated too.`,
    tag: "Promotions",
    scopes: [],
    pathParameters: promotionPath,
    answer: promotionSchema,
    statuses: { 200: "The promotion, deactivated." },
    audit: "promotion.deactivate",
    refusals: ["promotion-not-found", "promotion-archived"],
    needs: { table: ["GetItem", "PutItem", "UpdateItem"] },
  }),
  archivePromotion: route({
    method: "DELETE",
    path: "/v1/promotions/{promotionId}",
    summary: "Archive a promotion for good",
    description: `The history stays readable and can be exported. ${transitionNotes}`,
    tag: "Promotions",
    scopes: [],
    pathParameters: promotionPath,
    answer: promotionSchema,
    statuses: { 200: "The promotion, archived." },
    audit: "promotion.archive",
    refusals: ["promotion-not-found"],
    needs: { table: ["GetItem", "PutItem", "UpdateItem"] },
  }),
  duplicatePromotion: route({
    method: "POST",
    path: "/v1/promotions/{promotionId}/duplicate",
    summary: "Copy a promotion into a new draft",
    description:
      "Copies name, description and metadata, not its promocodes. Archived promotions can be copied. The body must be absent or `{}`.",
    tag: "Promotions",
    scopes: [],
    pathParameters: promotionPath,
    body: z.strictObject({}),
    bodyOptional: true,
    answer: promotionSchema,
    statuses: { 201: "The new draft." },
    location: true,
    idempotency: "recorded",
    audit: "promotion.duplicate",
    refusals: ["promotion-not-found"],
    needs: { table: recorded },
  }),

  createPromocode: route({
    method: "POST",
    path: "/v1/promocodes",
    summary: "Create a promocode and assign it to its promotion",
    tag: "Promocodes",
    scopes: [],
    body: createPromocodeBody,
    answer: promocodeSchema,
    statuses: { 201: "The promocode." },
    location: true,
    idempotency: "recorded",
    audit: "promocode.create",
    refusals: ["promotion-not-found", "promotion-archived", "id-taken", "code-taken"],
    needs: { table: [...recorded, "ConditionCheckItem", "Query"] },
  }),
  listPromocodes: route({
    method: "GET",
    path: "/v1/promocodes",
    summary: "List promocodes",
    description:
      "In the order of their ids. `promotionId` and `code` narrow the list; together both must hold.",
    tag: "Promocodes",
    scopes: ["read"],
    query: listPromocodesQuery,
    answer: pageOf(promocodeSchema),
    statuses: { 200: "A page of promocodes." },
    refusals: ["invalid-cursor"],
    needs: { table: ["BatchGetItem", "GetItem", "PutItem", "Query"] },
  }),
  getPromocode: route({
    method: "GET",
    path: "/v1/promocodes/{promocodeId}",
    summary: "Get a promocode, with the counts of its pool",
    tag: "Promocodes",
    scopes: ["read"],
    pathParameters: promocodePath,
    answer: promocodeSchema,
    statuses: { 200: "The promocode." },
    refusals: ["promocode-not-found"],
    needs: { table: ["GetItem", "Query"] },
  }),
  updatePromocode: route({
    method: "PATCH",
    path: "/v1/promocodes/{promocodeId}",
    summary: "Change how a personalized promocode gives out its codes",
    tag: "Promocodes",
    scopes: [],
    pathParameters: promocodePath,
    body: updatePromocodeBody,
    answer: promocodeSchema,
    statuses: { 200: "The promocode as changed." },
    audit: "promocode.update",
    refusals: ["promocode-not-found", "not-personalized"],
    needs: { table: ["PutItem", "Query", "UpdateItem"] },
  }),

  createCodeFile: route({
    method: "POST",
    path: "/v1/promocodes/{promocodeId}/files",
    summary: "Announce a code file and get a presigned upload for it",
    description:
      "The file is loaded by itself once the upload is complete; follow its record. Of several uploads with one form the first counts. An answer that is given again for its `Idempotency-Key` holds the first form, whose 15 minutes may be over: announce the file again with a new key then.",
    tag: "Code files",
    scopes: [],
    pathParameters: promocodePath,
    body: createCodeFileBody,
    answer: createdCodeFileSchema,
    statuses: { 201: "The file's record and where to send the file." },
    location: true,
    idempotency: "recorded",
    audit: "code-file.announce",
    refusals: ["promocode-not-found", "not-personalized", "promotion-archived"],
    needs: { table: recorded, uploads: ["PutObject"] },
  }),
  listCodeFiles: route({
    method: "GET",
    path: "/v1/promocodes/{promocodeId}/files",
    summary: "List a promocode's code files",
    tag: "Code files",
    scopes: ["read"],
    pathParameters: promocodePath,
    query: listCodeFilesQuery,
    answer: pageOf(codeFileSchema),
    statuses: { 200: "A page of code files." },
    refusals: ["promocode-not-found", "invalid-cursor"],
    needs: { table: ["GetItem", "PutItem", "Query"], rejects: ["GetObject"] },
  }),
  getCodeFile: route({
    method: "GET",
    path: "/v1/promocodes/{promocodeId}/files/{fileId}",
    summary: "Get a code file: how far it is and what was refused",
    tag: "Code files",
    scopes: ["read"],
    pathParameters: codeFilePath,
    answer: codeFileSchema,
    statuses: { 200: "The code file." },
    refusals: ["promocode-not-found", "code-file-not-found"],
    needs: { table: ["GetItem", "Query"], rejects: ["GetObject"] },
  }),
  withdrawCodeFile: route({
    method: "DELETE",
    path: "/v1/promocodes/{promocodeId}/files/{fileId}",
    summary: "Withdraw the free codes of a code file",
    description:
      "Allocated codes stay on record and stay with their customers. A file that is not loaded yet is never loaded. While it is being loaded: 409, try again when it is ready. Idempotent.",
    tag: "Code files",
    scopes: [],
    pathParameters: codeFilePath,
    answer: codeFileSchema,
    statuses: { 202: "The code file, `withdrawing` or, when it held no codes, `withdrawn`." },
    audit: "code-file.withdraw",
    refusals: ["promocode-not-found", "code-file-not-found", "code-file-loading"],
    needs: {
      table: ["GetItem", "PutItem", "Query", "UpdateItem"],
      rejects: ["GetObject"],
      queues: ["withdrawals"],
    },
  }),

  allocateCode: route({
    method: "POST",
    path: "/v1/promocodes/{promocodeId}/allocations",
    summary: "Give a customer a code",
    description:
      "A default code is answered with 201, and with 200 when the same trigger is retried while the pool is dry; a global code with 200. With an `Idempotency-Key`, a repeated answer carries `Idempotent-Replayed: true`; the key names the trigger of this customer, so the same key with other identifiers gives the code, and the identifiers, of the first call.",
    tag: "Allocation",
    scopes: ["allocate"],
    pathParameters: promocodePath,
    body: allocateCodeBody,
    answer: allocationSchema,
    statuses: { 200: "The code that the customer had, or the global code.", 201: "A code handed out now." },
    idempotency: "trigger",
    refusals: ["promocode-not-found", "promotion-not-active", "pool-exhausted"],
    needs: allocating,
  }),
  allocateCodes: route({
    method: "POST",
    path: "/v1/promocodes/{promocodeId}/allocations/batch",
    summary: "Give up to 1,000 customers a code each",
    description:
      "Entry by entry the rules of a single call. The same customer (under Varying: the same trigger of the same customer) twice in one request gets one code; the later entry says `repeated`. An `Idempotency-Key` is the trigger of every entry.",
    tag: "Allocation",
    scopes: ["allocate"],
    pathParameters: promocodePath,
    body: allocateCodesBody,
    answer: allocatedCodesSchema,
    statuses: { 200: "One result per entry, in the order of the request." },
    idempotency: "trigger",
    refusals: ["promocode-not-found", "promotion-not-active"],
    needs: allocating,
  }),
  getCustomerAllocationsOfPromocode: route({
    method: "GET",
    path: "/v1/promocodes/{promocodeId}/allocations",
    summary: "What a customer holds of a promocode",
    description:
      "Oldest first, with the default codes that were given while the pool was dry (`source: default`). Empty for a global promocode: it records nothing.",
    tag: "Allocation",
    scopes: ["read", "allocate"],
    pathParameters: promocodePath,
    query: customerAllocationsOfPromocodeQuery,
    answer: pageOf(allocationSchema),
    statuses: { 200: "The customer's allocations." },
    refusals: ["promocode-not-found", "invalid-cursor"],
    needs: { table: ["BatchGetItem", "GetItem", "PutItem", "Query"] },
  }),
  getCustomerAllocations: route({
    method: "GET",
    path: "/v1/customers/{customerId}/allocations",
    summary: "What a customer holds of all promocodes",
    description:
      "Promocode by promocode in the order of their ids, oldest first within each. A page looks through a bounded number of promocodes, so it can hold fewer items than `limit` (none only after 2,000 promocodes without any) and still have a `nextCursor`.",
    tag: "Allocation",
    scopes: ["read", "allocate"],
    pathParameters: customerPath,
    query: customerAllocationsQuery,
    answer: pageOf(allocationSchema),
    statuses: { 200: "The customer's allocations." },
    refusals: ["invalid-cursor"],
    needs: { table: ["BatchGetItem", "GetItem", "PutItem", "Query"] },
  }),
  getCode: route({
    method: "GET",
    path: "/v1/promocodes/{promocodeId}/codes/{uniqueCode}",
    summary: "What became of a unique code",
    tag: "Allocation",
    scopes: ["read", "allocate"],
    pathParameters: codePath,
    answer: codeSchema,
    statuses: { 200: "The code and, when it is allocated, who holds it." },
    refusals: ["promocode-not-found", "code-not-found"],
    needs: { table: ["BatchGetItem", "GetItem", "Query"] },
  }),

  createAudience: route({
    method: "POST",
    path: "/v1/promocodes/{promocodeId}/audiences",
    summary: "Announce an audience, whose customers get a code each, and get a presigned upload for it",
    description: audienceNotes,
    tag: "Audiences",
    scopes: ["allocate"],
    pathParameters: promocodePath,
    body: createAudienceBody,
    answer: createdAudienceSchema,
    statuses: { 201: "The audience and where to send its file." },
    location: true,
    idempotency: "recorded",
    audit: "audience.announce",
    refusals: ["promocode-not-found", "not-personalized", "promotion-not-active", "promotion-archived"],
    needs: { table: recorded, audiences: ["PutObject"] },
  }),
  listAudiences: route({
    method: "GET",
    path: "/v1/promocodes/{promocodeId}/audiences",
    summary: "List a promocode's audiences",
    description:
      "Newest first, those of the last 7 days: announced ones and those that were dropped into the bucket.",
    tag: "Audiences",
    scopes: ["read", "allocate"],
    pathParameters: promocodePath,
    query: listAudiencesQuery,
    answer: pageOf(audienceSchema),
    statuses: { 200: "A page of audiences." },
    refusals: ["promocode-not-found", "invalid-cursor"],
    needs: {
      table: ["BatchGetItem", "GetItem", "PutItem", "Query"],
      audienceResults: ["GetObject"],
      rejects: ["GetObject"],
    },
  }),
  getAudience: route({
    method: "GET",
    path: "/v1/audiences/{audienceId}",
    summary: "Get an audience: how far it is and, once there is one, where its result is",
    description: audienceResultNotes,
    tag: "Audiences",
    scopes: ["read", "allocate"],
    pathParameters: audiencePath,
    answer: audienceSchema,
    statuses: { 200: "The audience." },
    refusals: ["audience-not-found"],
    needs: { table: ["GetItem"], audienceResults: ["GetObject"], rejects: ["GetObject"] },
  }),

  exportPromocode: route({
    method: "POST",
    path: "/v1/promocodes/{promocodeId}/exports",
    summary: "Export who got which code of a promocode",
    description: "For a global promocode the export holds the header alone: it records nothing.",
    tag: "Exports",
    scopes: ["read"],
    pathParameters: promocodePath,
    body: createExportBody,
    bodyOptional: true,
    answer: queuedExportSchema,
    statuses: { 202: "The export is queued: follow `Location`." },
    location: true,
    idempotency: "recorded",
    audit: "export.request",
    refusals: ["promocode-not-found"],
    needs: { table: recorded, queues: ["exports"] },
  }),
  exportCodeFile: route({
    method: "POST",
    path: "/v1/promocodes/{promocodeId}/files/{fileId}/exports",
    summary: "Export who got which code of a code file",
    tag: "Exports",
    scopes: ["read"],
    pathParameters: codeFilePath,
    body: createExportBody,
    bodyOptional: true,
    answer: queuedExportSchema,
    statuses: { 202: "The export is queued: follow `Location`." },
    location: true,
    idempotency: "recorded",
    audit: "export.request",
    refusals: ["promocode-not-found", "code-file-not-found"],
    needs: { table: recorded, queues: ["exports"] },
  }),
  getExport: route({
    method: "GET",
    path: "/v1/exports/{exportId}",
    summary: "Get an export and, once it succeeded, where to download it",
    tag: "Exports",
    scopes: ["read"],
    pathParameters: exportPath,
    answer: exportSchema,
    statuses: { 200: "The export." },
    refusals: ["export-not-found"],
    needs: { table: ["GetItem"], exports: ["GetObject"] },
  }),

  eraseCustomer: route({
    method: "DELETE",
    path: "/v1/customers/{customerId}",
    summary: "Erase a person",
    description: erasureNotes,
    tag: "Erasure",
    scopes: [],
    pathParameters: customerPath,
    answer: erasureSchema,
    statuses: {
      202: "The erasure is queued, whether the service knows the customer or not: follow `Location`.",
    },
    location: true,
    // Its entry tells the erasure's id: neither path nor body may bring the customer's into the trail.
    audit: "customer.erase",
    refusals: [],
    needs: { table: ["DeleteItem", "PutItem", "UpdateItem"], queues: ["erasures"] },
  }),
  getErasure: route({
    method: "GET",
    path: "/v1/erasures/{erasureId}",
    summary: "Get an erasure: how far it is and, once it succeeded, how long older files and backups live",
    description:
      "Kept for 90 days after it succeeded. It does not say whose erasure it is: keep its id with the person's request.",
    tag: "Erasure",
    scopes: [],
    pathParameters: erasurePath,
    answer: erasureSchema,
    statuses: { 200: "The erasure." },
    refusals: ["erasure-not-found"],
    needs: { table: ["GetItem"] },
  }),

  listAuditEntries: route({
    method: "GET",
    path: "/v1/audit",
    summary: "List who changed what, and when",
    description: auditNotes,
    tag: "Audit",
    scopes: [],
    query: listAuditEntriesQuery,
    answer: pageOf(auditEntrySchema),
    statuses: { 200: "A page of entries, newest first." },
    refusals: ["invalid-cursor"],
    needs: { table: ["GetItem", "PutItem", "Query"] },
  }),

  reportHealth: route({
    method: "GET",
    path: "/health",
    summary: "Whether the service and its table answer",
    tag: "Service",
    scopes: null,
    answer: z
      .strictObject({ status: z.literal("ok"), version: z.string(), time: timestampSchema })
      .meta({ id: "Health", example: { status: "ok", version: "0.1.0", time: "2026-11-23T09:00:00.000Z" } }),
    statuses: { 200: "All is well." },
    refusals: ["unavailable"],
    needs: { table: ["GetItem"] },
  }),
  describeApi: route({
    method: "GET",
    path: "/openapi.json",
    summary: "This description",
    tag: "Service",
    scopes: null,
    answer: z.looseObject({ openapi: z.string() }).meta({ id: "OpenApi" }),
    statuses: { 200: "OpenAPI 3.1." },
    refusals: [],
    needs: {},
  }),
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;

/** The folder of a route's handler below `functions/`, which is the function's name too. */
export const functionName = (name: RouteName): string =>
  name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`);
