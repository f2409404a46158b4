import * as z from "zod";
import type { StackFacts } from "../../local/template/facts.ts";
import type { WireRequest } from "../faults/fault-proxy.ts";
import { withoutHash } from "../infra/synthesized.ts";

/**
 * What IAM would ask the caller of a request for, spelled as `rightsByFunction` spells policies:
 * `s3:GetObject on FilesUploads/uploads/pcd_1/fil_1.csv`. A request that nobody knows is an error: it would pass unseen.
 */
export const rightsNeededBy = (
  request: WireRequest,
  status: number,
  facts: StackFacts,
): readonly string[] => {
  const target = String(request.headers["x-amz-target"] ?? "");
  const [api = "", operation = ""] = target.split(".");
  if (api.startsWith("DynamoDB_")) return tableRights(operation, JSON.parse(request.body.toString()), facts);
  if (api === "AmazonSQS") return queueRights(operation, JSON.parse(request.body.toString()), facts);
  if (api === "AWSEvents") return busRights(operation, JSON.parse(request.body.toString()), facts);
  if (target === "") return bucketRights(request, status, facts);
  throw new Error(`a request to ${target}, which nobody knows`);
};

const named = (
  kind: readonly { readonly name: string; readonly logicalId: string }[],
  name: string,
): string => {
  const found = kind.find((each) => each.name === name);
  if (!found) throw new Error(`a request for ${name}, which is not of the stack`);
  return withoutHash(found.logicalId);
};

const plainOperations = new Set(["DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]);
const batchSchema = z.object({ RequestItems: z.record(z.string(), z.unknown()) });
const transactionSchema = z.object({
  TransactItems: z.array(z.record(z.string(), z.object({ TableName: z.string() }))),
});
/** A transaction needs the rights of its parts (docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html). */
const rightOfPart: Readonly<Record<string, string>> = {
  ConditionCheck: "ConditionCheckItem",
  Delete: "DeleteItem",
  Get: "GetItem",
  Put: "PutItem",
  Update: "UpdateItem",
};

const tableRights = (operation: string, body: unknown, { tables }: StackFacts): readonly string[] => {
  const right = (action: string, name: string) => `dynamodb:${action} on ${named(tables, name)}`;
  if (plainOperations.has(operation))
    return [right(operation, z.object({ TableName: z.string() }).parse(body).TableName)];
  if (operation === "BatchGetItem" || operation === "BatchWriteItem")
    return Object.keys(batchSchema.parse(body).RequestItems).map((name) => right(operation, name));
  if (operation === "TransactWriteItems")
    return transactionSchema
      .parse(body)
      .TransactItems.flatMap((item) =>
        Object.entries(item).map(([part, { TableName }]) => right(rightOfPart[part] ?? part, TableName)),
      );
  throw new Error(`DynamoDB was asked for ${operation}, which nobody knows`);
};

const queueRights = (operation: string, body: unknown, { queues }: StackFacts): readonly string[] => {
  const { QueueUrl } = z.object({ QueueUrl: z.string() }).parse(body);
  return [`sqs:${operation} on ${named(queues, QueueUrl.split("/").at(-1) ?? "")}`];
};

const busRights = (operation: string, body: unknown, { eventBuses }: StackFacts): readonly string[] => {
  const { Entries } = z.object({ Entries: z.array(z.object({ EventBusName: z.string() })) }).parse(body);
  return Entries.map(({ EventBusName }) => `events:${operation} on ${named(eventBuses, EventBusName)}`);
};

/** docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html */
const bucketRights = (
  { method, path, body }: WireRequest,
  status: number,
  { buckets }: StackFacts,
): readonly string[] => {
  const { pathname, searchParams } = new URL(path, "http://s3");
  const [, name = "", ...rest] = pathname.split("/");
  const bucket = named(buckets, decodeURIComponent(name));
  const key = rest.map(decodeURIComponent).join("/") || keyOfForm(body);
  const onObject = (action: string) => [`s3:${action} on ${bucket}/${key}`];
  const inParts = searchParams.has("uploadId");
  switch (method) {
    case "GET":
    case "HEAD": {
      if (inParts) return onObject("ListMultipartUploadParts");
      const read = onObject(searchParams.has("versionId") ? "GetObjectVersion" : "GetObject");
      // Who may not list is told 403 of what is not there, not 404 (API_GetObject, "Permissions").
      return status === 404 ? [...read, `s3:ListBucket on ${bucket}`] : read;
    }
    case "PUT":
    case "POST":
      return onObject("PutObject");
    case "DELETE":
      return onObject(inParts ? "AbortMultipartUpload" : "DeleteObject");
    default:
      throw new Error(`S3 was asked to ${method}, which nobody knows`);
  }
};

/** Of a presigned POST: the key is a field of the form. */
const keyOfForm = (body: Buffer): string => {
  const [, key] = /name="key"\r\n\r\n([^\r]+)\r\n/.exec(body.subarray(0, 20_000).toString("latin1")) ?? [];
  if (key === undefined) throw new Error("a request to a bucket, which nobody knows");
  return key;
};
