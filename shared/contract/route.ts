import type * as z from "zod";
import type { AuditAction } from "./audit.ts";
import type { ProblemCode } from "./problems.ts";

/** What a key may do. `admin` may do everything; the others only what their routes say. */
export const scopes = ["admin", "allocate", "read"] as const;
export type Scope = (typeof scopes)[number];

/** DynamoDB actions that a function may be granted on the table, named as IAM names them. */
export type TableAction =
  | "BatchGetItem"
  | "BatchWriteItem"
  | "ConditionCheckItem"
  | "DeleteItem"
  | "GetItem"
  | "PutItem"
  | "Query"
  | "UpdateItem";

/** The rights of a function, least privilege: infra grants exactly these. */
export interface Needs {
  readonly table?: readonly TableAction[];
  /** S3 actions on code files that arrive: reading drops and uploads, writing only uploads. */
  readonly uploads?: readonly ("GetObject" | "GetObjectVersion" | "ListBucket" | "PutObject")[];
  /** The same on audiences that arrive, which name customers. */
  readonly audiences?: readonly ("GetObject" | "GetObjectVersion" | "ListBucket" | "PutObject")[];
  /** S3 actions on results of audiences, which name customers. */
  readonly audienceResults?: readonly ("AbortMultipartUpload" | "GetObject" | "ListBucket" | "PutObject")[];
  /** S3 actions on finished exports, which name customers. */
  readonly exports?: readonly ("AbortMultipartUpload" | "GetObject" | "PutObject")[];
  /** S3 actions on lists of refused rows, in the exports bucket too. */
  readonly rejects?: readonly ("AbortMultipartUpload" | "GetObject" | "PutObject")[];
  /** Queues that the function sends to. */
  readonly queues?: readonly QueueName[];
  /** True for a function that tells on the bus what happened. */
  readonly events?: true;
}

export const queueNames = ["audiences", "code-files", "erasures", "exports", "withdrawals"] as const;
export type QueueName = (typeof queueNames)[number];

export type Method = "GET" | "POST" | "PATCH" | "DELETE";

type Schema = z.ZodType;

/** One entry of the API: everything that CDK, the handlers, the local service, OpenAPI and the tests need to know. */
export interface Route<
  Path extends Schema = Schema,
  Query extends Schema = Schema,
  Body extends Schema = Schema,
  Answer extends Schema = Schema,
> {
  readonly method: Method;
  /** With `{parameters}` as API Gateway writes them. */
  readonly path: `/${string}`;
  readonly summary: string;
  /** What the contract leaves open and this service decided. */
  readonly description?: string;
  readonly tag:
    | "Promotions"
    | "Promocodes"
    | "Code files"
    | "Allocation"
    | "Audiences"
    | "Exports"
    | "Audit"
    | "Erasure"
    | "Service";
  /** Scopes that may call it beside `admin`; null: no key needed. */
  readonly scopes: readonly Scope[] | null;
  readonly pathParameters?: Path;
  readonly query?: Query;
  readonly body?: Body;
  /** True when a call without a body counts as `{}`. */
  readonly bodyOptional?: boolean;
  /** The answer's schema, and what each success status means. */
  readonly answer: Answer;
  readonly statuses: Readonly<Partial<Record<200 | 201 | 202, string>>>;
  /** True when a success carries `Location`. */
  readonly location?: boolean;
  /** `recorded`: the first answer is kept and given again. `trigger`: the key is the allocation's trigger. */
  readonly idempotency?: "recorded" | "trigger";
  /** The administrative change that it is: put on record before it is made. Absent where nothing of the kind is done. */
  readonly audit?: AuditAction;
  /** Refusals of this route beside those that every route can give. */
  readonly refusals: readonly ProblemCode[];
  readonly needs: Needs;
}

/** Keeps the schemas' types, so that handlers get them parsed and typed. */
export const route = <
  Path extends Schema = z.ZodUndefined,
  Query extends Schema = z.ZodUndefined,
  Body extends Schema = z.ZodUndefined,
  Answer extends Schema = Schema,
>(
  entry: Route<Path, Query, Body, Answer>,
): Route<Path, Query, Body, Answer> => entry;
