import type { Answer } from "./answer.ts";
import * as buckets from "./bucket-operations.ts";
import type { Call } from "./call.ts";
import { S3Error } from "./errors.ts";
import * as multipart from "./multipart-operations.ts";
import * as objects from "./object-operations.ts";
import type { S3Request } from "./request.ts";

/** An operation, and what tells its requests from others. */
interface Route {
  readonly on: "service" | "bucket" | "object";
  readonly method: string;
  /** Query parameters that have to be there; `name=value` asks for the value too. */
  readonly query?: readonly string[];
  readonly header?: string;
  readonly run: (call: Call) => Promise<Answer>;
}

/** The first route that fits counts: the more particular ones stand above the general ones. */
const routes: readonly Route[] = [
  { on: "service", method: "GET", run: buckets.listBuckets },

  ...buckets.subresourceNames.flatMap((name): Route[] => [
    { on: "bucket", method: "GET", query: [name], run: buckets.getConfiguration(name) },
    { on: "bucket", method: "PUT", query: [name], run: buckets.putConfiguration(name) },
    { on: "bucket", method: "DELETE", query: [name], run: buckets.deleteConfiguration(name) },
  ]),
  { on: "bucket", method: "GET", query: ["versioning"], run: buckets.getVersioning },
  { on: "bucket", method: "PUT", query: ["versioning"], run: buckets.putVersioning },
  { on: "bucket", method: "GET", query: ["location"], run: buckets.getLocation },
  { on: "bucket", method: "GET", query: ["versions"], run: buckets.listObjectVersions },
  { on: "bucket", method: "GET", query: ["uploads"], run: multipart.listMultipartUploads },
  { on: "bucket", method: "POST", query: ["delete"], run: objects.deleteObjects },
  { on: "bucket", method: "GET", query: ["list-type=2"], run: buckets.listObjectsV2 },
  { on: "bucket", method: "GET", run: buckets.listObjectsV1 },
  { on: "bucket", method: "HEAD", run: buckets.headBucket },
  { on: "bucket", method: "PUT", run: buckets.createBucket },
  { on: "bucket", method: "DELETE", run: buckets.deleteBucket },

  { on: "object", method: "POST", query: ["uploads"], run: multipart.createMultipartUpload },
  { on: "object", method: "POST", query: ["uploadId"], run: multipart.completeMultipartUpload },
  { on: "object", method: "GET", query: ["uploadId"], run: multipart.listParts },
  { on: "object", method: "DELETE", query: ["uploadId"], run: multipart.abortMultipartUpload },
  {
    on: "object",
    method: "PUT",
    query: ["uploadId", "partNumber"],
    header: "x-amz-copy-source",
    run: multipart.uploadPartCopy,
  },
  { on: "object", method: "PUT", query: ["uploadId", "partNumber"], run: multipart.uploadPart },
  { on: "object", method: "GET", query: ["tagging"], run: objects.getTagging },
  { on: "object", method: "PUT", query: ["tagging"], run: objects.putTagging },
  { on: "object", method: "DELETE", query: ["tagging"], run: objects.deleteTagging },
  { on: "object", method: "GET", query: ["attributes"], run: objects.getAttributes },
  { on: "object", method: "PUT", header: "x-amz-copy-source", run: objects.copyObject },
  { on: "object", method: "PUT", run: objects.putObject },
  { on: "object", method: "GET", run: objects.getObject },
  { on: "object", method: "HEAD", run: objects.headObject },
  { on: "object", method: "DELETE", run: objects.deleteObject },
];

/** Query parameters that make another operation of a request. Where no route takes them, nothing may be done in their place. */
const operationParameters = new Set([
  "accelerate",
  "acl",
  "analytics",
  "attributes",
  "delete",
  "intelligent-tiering",
  "inventory",
  "legal-hold",
  "location",
  "logging",
  "metrics",
  "object-lock",
  "policy",
  "policyStatus",
  "renameObject",
  "replication",
  "requestPayment",
  "restore",
  "retention",
  "select",
  "session",
  "torrent",
  "uploadId",
  "uploads",
  "versioning",
  "versions",
  "website",
  ...buckets.subresourceNames,
]);

export function routeFor(request: S3Request): Route {
  const on = request.bucket === undefined ? "service" : request.key === undefined ? "bucket" : "object";
  const found = routes.find(
    (route) => route.on === on && route.method === request.method && fits(route, request),
  );
  if (!found) throw new S3Error("MethodNotAllowed", undefined, { Method: request.method });

  const taken = new Set(found.query?.map((one) => one.split("=")[0]));
  for (const name of request.query.names()) {
    if (operationParameters.has(name) && !taken.has(name))
      throw new S3Error("NotImplemented", undefined, { Query: name });
  }
  return found;
}

function fits({ query = [], header }: Route, request: S3Request): boolean {
  if (header !== undefined && request.headers[header] === undefined) return false;
  return query.every((one) => {
    const [name = "", value] = one.split("=");
    return value === undefined ? request.query.has(name) : request.query.get(name) === value;
  });
}
