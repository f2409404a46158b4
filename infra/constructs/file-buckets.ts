import { Aws, Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type BucketProps,
  type CfnBucket,
  HttpMethods,
  type IBucket,
  type LifecycleRule,
  ObjectOwnership,
} from "aws-cdk-lib/aws-s3";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { audienceLifeDays } from "../../shared/contract/audiences.ts";
import { exportLifeDays } from "../../shared/contract/exports.ts";
import type { Needs } from "../../shared/contract/route.ts";
import { environmentNames } from "../../shared/environment.ts";
import { objectPrefixes } from "../../shared/files/object-prefixes.ts";
import type { StageSettings } from "../stages.ts";
import type { ServiceFunction } from "./service-function.ts";

export interface FileBucketsProps {
  readonly settings: StageSettings;
  /** Hears of every code file that arrives. */
  readonly codeFileArrivals: Queue;
  /** Hears of every audience that arrives. */
  readonly audienceArrivals: Queue;
}

const privateBucket = {
  blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
  encryption: BucketEncryption.S3_MANAGED,
  enforceSSL: true,
  minimumTLSVersion: 1.2,
  objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
  removalPolicy: RemovalPolicy.RETAIN,
} as const satisfies BucketProps;

/**
 * Where code files and audiences come in, where exports, results and lists of refused rows go out, and who asked for
 * which of them.
 */
export class FileBuckets extends Construct {
  readonly uploads: Bucket;
  readonly exports: Bucket;

  constructor(
    scope: Construct,
    id: string,
    { settings, codeFileArrivals, audienceArrivals }: FileBucketsProps,
  ) {
    super(scope, id);
    // The cast: CDK's own classes do not hold under exactOptionalPropertyTypes.
    const accessLogs = new Bucket(this, "AccessLogs", {
      ...privateBucket,
      lifecycleRules: [expire(Duration.days(90)), ...tidy],
    }) as IBucket;
    Validations.of(accessLogs).acknowledge({
      id: "AwsSolutions-S1",
      reason: "It holds the access logs of the others; logging its own would never end.",
    });
    this.uploads = new Bucket(this, "Uploads", {
      ...privateBucket,
      versioned: true,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: "uploads/",
      // A loaded file's codes are in the table; the file stays for a month to settle disputes with who sent it.
      // An audience names customers: it goes with its result. Of two rules that meet, S3 follows the shorter one.
      lifecycleRules: [
        expire(Duration.days(audienceLifeDays), objectPrefixes.audienceDrops),
        expire(Duration.days(audienceLifeDays), objectPrefixes.audienceUploads),
        expire(Duration.days(30)),
        ...tidy,
      ],
      cors: [
        {
          allowedMethods: [HttpMethods.POST],
          allowedOrigins: [...settings.uploadOrigins],
          allowedHeaders: ["*"],
          maxAge: 3600,
        },
      ],
    });
    this.exports = new Bucket(this, "Exports", {
      ...privateBucket,
      versioned: true,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: "exports/",
      // Exports name customers: they are made again when needed, not kept.
      lifecycleRules: [
        expire(Duration.days(exportLifeDays), objectPrefixes.exports),
        expire(Duration.days(audienceLifeDays), objectPrefixes.audienceResults),
        expire(Duration.days(audienceLifeDays), objectPrefixes.audienceRejects),
        expire(Duration.days(30), objectPrefixes.rejects),
        ...tidy,
      ],
    });
    announceArrivals(this.uploads, [
      [codeFileArrivals, [objectPrefixes.drops, objectPrefixes.uploads]],
      [audienceArrivals, [objectPrefixes.audienceDrops, objectPrefixes.audienceUploads]],
    ]);
  }

  /** Gives the function the uploads bucket's name and these rights on code files: writing only presigned uploads. */
  bindUploads(fn: ServiceFunction, actions: NonNullable<Needs["uploads"]>): void {
    this.bindArrivals(fn, actions, { dropped: objectPrefixes.drops, uploaded: objectPrefixes.uploads });
  }

  /** The same on audiences. */
  bindAudiences(fn: ServiceFunction, actions: NonNullable<Needs["audiences"]>): void {
    const { audienceDrops: dropped, audienceUploads: uploaded } = objectPrefixes;
    this.bindArrivals(fn, actions, { dropped, uploaded });
  }

  /** Gives the function the exports bucket's name and these rights on exports. */
  bindExports(fn: ServiceFunction, actions: NonNullable<Needs["exports"]>): void {
    fn.addEnvironment(environmentNames.exportsBucket, this.exports.bucketName);
    permitObjects(fn, this.exports, objectPrefixes.exports, actions);
  }

  /** Gives the function the exports bucket's name and these rights on results of audiences. */
  bindAudienceResults(fn: ServiceFunction, actions: NonNullable<Needs["audienceResults"]>): void {
    fn.addEnvironment(environmentNames.exportsBucket, this.exports.bucketName);
    const onObjects = actions.filter((action) => action !== "ListBucket");
    if (actions.includes("ListBucket")) fn.permit(["s3:ListBucket"], this.exports.bucketArn);
    permitObjects(fn, this.exports, objectPrefixes.audienceResults, onObjects);
  }

  /** Gives the function the exports bucket's name and these rights on lists of refused rows. */
  bindRejects(fn: ServiceFunction, actions: NonNullable<Needs["rejects"]>): void {
    fn.addEnvironment(environmentNames.exportsBucket, this.exports.bucketName);
    permitObjects(fn, this.exports, objectPrefixes.rejects, actions);
  }

  private bindArrivals(
    fn: ServiceFunction,
    actions: NonNullable<Needs["uploads"]>,
    { dropped, uploaded }: { readonly dropped: string; readonly uploaded: string },
  ): void {
    fn.addEnvironment(environmentNames.uploadsBucket, this.uploads.bucketName);
    const reads = actions.filter((action) => action === "GetObject" || action === "GetObjectVersion");
    const writes = actions.filter((action) => action === "PutObject");
    if (actions.includes("ListBucket")) fn.permit(["s3:ListBucket"], this.uploads.bucketArn);
    if (reads.length > 0)
      for (const prefix of [dropped, uploaded]) permitObjects(fn, this.uploads, prefix, reads);
    if (writes.length > 0) permitObjects(fn, this.uploads, uploaded, writes);
  }
}

/** Objects below the prefix end after `age`. */
const expire = (age: Duration, prefix?: string): LifecycleRule => ({
  expiration: age,
  ...(prefix === undefined ? {} : { prefix }),
});

/** What no longer counts goes at once: hidden versions after a day, markers, uploads that were never finished. */
const tidy: readonly LifecycleRule[] = [
  {
    noncurrentVersionExpiration: Duration.days(1),
    abortIncompleteMultipartUploadAfter: Duration.days(1),
    expiredObjectDeleteMarker: true,
  },
];

function permitObjects(
  fn: ServiceFunction,
  bucket: Bucket,
  prefix: string,
  actions: readonly string[],
): void {
  fn.permitBelow(
    actions.map((action) => `s3:${action}`),
    bucket.node.defaultChild as CfnBucket,
    prefix,
    "Keys are made at run time, of promocodes, files, audiences and exports; everything below the prefix is of one kind.",
  );
}

/**
 * Announces new objects below the prefixes to their queue by the bucket's own property: `addEventNotification` would bring a custom
 * resource, which is one more function to trust and one that the local service cannot run.
 */
function announceArrivals(uploads: Bucket, arrivals: readonly (readonly [Queue, readonly string[]])[]): void {
  for (const [queue] of arrivals) {
    const permission = queue.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal("s3.amazonaws.com")],
        actions: ["sqs:SendMessage"],
        resources: [queue.queueArn],
        // Not the bucket's ARN: bucket and policy would each wait for the other.
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
    );
    // S3 tries the queue when the bucket is made.
    if (permission.policyDependable !== undefined) uploads.node.addDependency(permission.policyDependable);
  }
  const bucket = uploads.node.defaultChild as CfnBucket;
  bucket.notificationConfiguration = {
    queueConfigurations: arrivals.flatMap(([queue, prefixes]) =>
      prefixes.map((prefix) => ({
        event: "s3:ObjectCreated:*",
        queue: queue.queueArn,
        filter: { s3Key: { rules: [{ name: "prefix", value: prefix }] } },
      })),
    ),
  };
}
