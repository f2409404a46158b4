import { App, Stack } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { CodeTable } from "../../infra/constructs/code-table.ts";
import {
  audienceResultKey,
  audienceUploadKey,
  parseAudienceKey,
} from "../../shared/files/audience-objects.ts";
import { parseUploadsKey, uploadKey } from "../../shared/files/buckets.ts";
import { exportObjectKey } from "../../shared/files/export-file.ts";
import { objectPrefixes } from "../../shared/files/object-prefixes.ts";
import { rejectsKey } from "../../shared/files/rejects.ts";
import { resourcesOf, templateOf, withoutHash } from "./synthesized.ts";

const template = templateOf("prod");
const resources = resourcesOf(template);
const ofType = (type: string) => [...resources].filter(([, { Type }]) => Type === type);

describe("the table", () => {
  it("keeps itself: on demand, with point-in-time recovery, protected and retained", () => {
    template.hasResource("AWS::DynamoDB::Table", {
      DeletionPolicy: "Retain",
      UpdateReplacePolicy: "Retain",
      Properties: {
        BillingMode: "PAY_PER_REQUEST",
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        DeletionProtectionEnabled: true,
      },
    });
  });

  it("has the keys, the expiry and the stream that the code speaks of, and no index", () => {
    template.hasResourceProperties("AWS::DynamoDB::Table", {
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      TimeToLiveSpecification: { AttributeName: "expiresAt", Enabled: true },
      StreamSpecification: { StreamViewType: "NEW_AND_OLD_IMAGES" },
      GlobalSecondaryIndexes: Match.absent(),
      LocalSecondaryIndexes: Match.absent(),
    });
  });

  it("is warmed before a launch only by a stage that asks for it", () => {
    const warmed = new Stack(new App(), "Warmed");
    new CodeTable(warmed, "Codes", {
      warmThroughput: { readUnitsPerSecond: 12_000, writeUnitsPerSecond: 20_000 },
    });

    template.hasResourceProperties("AWS::DynamoDB::Table", { WarmThroughput: Match.absent() });
    Template.fromStack(warmed).hasResourceProperties("AWS::DynamoDB::Table", {
      WarmThroughput: { ReadUnitsPerSecond: 12_000, WriteUnitsPerSecond: 20_000 },
    });
  });
});

describe("the buckets", () => {
  it.each(["FilesUploads", "FilesExports", "FilesAccessLogs"])(
    "keep %s private, encrypted, retained",
    (name) => {
      const [, bucket] = ofType("AWS::S3::Bucket").find(([id]) => withoutHash(id) === name) ?? [];

      expect(bucket?.DeletionPolicy).toBe("Retain");
      expect(bucket?.Properties).toMatchObject({
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } }],
        },
      });
    },
  );

  it("refuse whoever does not use TLS", () => {
    const policies = ofType("AWS::S3::BucketPolicy").map(([, { Properties }]) => JSON.stringify(Properties));

    expect(policies).toHaveLength(3);
    for (const policy of policies) expect(policy).toContain('{"Bool":{"aws:SecureTransport":"false"}}');
  });

  it("forget what names customers after a week: exports, audiences, their results and refused rows", () => {
    template.hasResourceProperties("AWS::S3::Bucket", {
      VersioningConfiguration: { Status: "Enabled" },
      LifecycleConfiguration: {
        Rules: Match.arrayWith([
          { ExpirationInDays: 7, Prefix: "exports/", Status: "Enabled" },
          { ExpirationInDays: 7, Prefix: "audiences/", Status: "Enabled" },
          { ExpirationInDays: 7, Prefix: "rejects/aud_", Status: "Enabled" },
          Match.objectLike({
            NoncurrentVersionExpiration: { NoncurrentDays: 1 },
            AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
          }),
        ]),
      },
    });
    template.hasResourceProperties("AWS::S3::Bucket", {
      NotificationConfiguration: Match.anyValue(),
      LifecycleConfiguration: {
        Rules: Match.arrayWith([
          { ExpirationInDays: 7, Prefix: "audiences/", Status: "Enabled" },
          { ExpirationInDays: 7, Prefix: "audience-uploads/", Status: "Enabled" },
        ]),
      },
    });
  });

  it("are given the prefixes that the code makes its keys with", () => {
    expect(uploadKey("pcd_1", "fil_1")).toMatch(new RegExp(`^${objectPrefixes.uploads}`));
    expect(parseUploadsKey(`${objectPrefixes.drops}pcd_1/codes.csv`)).toMatchObject({ kind: "drop" });
    expect(exportObjectKey("exp_1", 1)).toMatch(new RegExp(`^${objectPrefixes.exports}`));
    expect(rejectsKey("fil_1")).toMatch(new RegExp(`^${objectPrefixes.rejects}`));
    expect(rejectsKey("aud_1")).toMatch(new RegExp(`^${objectPrefixes.audienceRejects}`));
    expect(audienceUploadKey("pcd_1", "aud_1")).toMatch(new RegExp(`^${objectPrefixes.audienceUploads}`));
    expect(parseAudienceKey(`${objectPrefixes.audienceDrops}pcd_1/a.csv`)).toMatchObject({ kind: "drop" });
    expect(audienceResultKey("aud_1", "1")).toMatch(new RegExp(`^${objectPrefixes.audienceResults}`));
  });

  it("take uploads from web pages", () => {
    template.hasResourceProperties("AWS::S3::Bucket", {
      CorsConfiguration: {
        CorsRules: [Match.objectLike({ AllowedMethods: ["POST"], AllowedOrigins: ["*"] })],
      },
    });
  });

  it("announce drops and presigned uploads to their job's queue, which lets S3 in before the bucket is made", () => {
    template.hasResource("AWS::S3::Bucket", {
      Properties: {
        NotificationConfiguration: {
          QueueConfigurations: [
            ["Loading", "promocodes/"],
            ["Loading", "uploads/"],
            ["Allocating", "audiences/"],
            ["Allocating", "audience-uploads/"],
          ].map(([part, prefix]) => ({
            Event: "s3:ObjectCreated:*",
            Filter: { S3Key: { Rules: [{ Name: "prefix", Value: prefix }] } },
            Queue: { "Fn::GetAtt": [Match.stringLikeRegexp(`^${part}Queue`), "Arn"] },
          })),
        },
      },
      DependsOn: Match.arrayWith([
        Match.stringLikeRegexp("^AllocatingQueuePolicy"),
        Match.stringLikeRegexp("^LoadingQueuePolicy"),
      ]),
    });
    template.hasResourceProperties("AWS::SQS::QueuePolicy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: "sqs:SendMessage",
            Principal: { Service: "s3.amazonaws.com" },
            Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
          }),
        ]),
      },
    });
  });
});

describe("queued work", () => {
  it.each([
    ["Loading", 3008, 5],
    ["Exporting", 1024, 5],
    ["Withdrawing", 1024, 2],
    ["Allocating", 3008, 2],
    ["Erasing", 1024, 2],
  ])("of %s runs for up to 15 minutes, one message at a time", (part, memory, atOnce) => {
    template.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
      EventSourceArn: { "Fn::GetAtt": [Match.stringLikeRegexp(`^${part}Queue`), "Arn"] },
      FunctionName: { Ref: Match.stringLikeRegexp(`^${part}Function`) },
      BatchSize: 1,
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      ScalingConfig: { MaximumConcurrency: atOnce },
    });
    const [, job] = ofType("AWS::Lambda::Function").find(([id]) => id.startsWith(`${part}Function`)) ?? [];
    expect(job?.Properties).toMatchObject({ Timeout: 900, MemorySize: memory });
  });

  it("comes back after the function's last moment, and after five tries and one to tell of them is put aside", () => {
    const queues = ofType("AWS::SQS::Queue").filter(([id]) => !id.includes("DeadLetters"));

    expect(queues).toHaveLength(5);
    for (const [, { Properties }] of queues)
      expect(Properties).toMatchObject({
        VisibilityTimeout: 960,
        SqsManagedSseEnabled: true,
        RedrivePolicy: { maxReceiveCount: 6 },
      });
  });

  it("may go round more than sixteen times where a job queues its own rest, and only there", () => {
    const allowed = ofType("AWS::Lambda::Function").filter(
      ([, { Properties }]) => "RecursiveLoop" in Properties,
    );

    expect(allowed.map(([id]) => withoutHash(id)).sort()).toEqual([
      "AllocatingFunction",
      "ErasingFunction",
      "LoadingFunction",
      "WithdrawingFunction",
    ]);
    for (const [, { Properties }] of allowed) expect(Properties.RecursiveLoop).toBe("Allow");
  });
});

describe("the allocation counter", () => {
  it("hears of cells that changed, default codes that were given and what sets a pool anew, shard by shard", () => {
    template.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
      EventSourceArn: { "Fn::GetAtt": [Match.stringLikeRegexp("^CodesTable"), "StreamArn"] },
      StartingPosition: "TRIM_HORIZON",
      TumblingWindowInSeconds: 1,
      BatchSize: 1000,
      ParallelizationFactor: 1,
      FilterCriteria: {
        Filters: [
          {
            Pattern: JSON.stringify({
              eventName: ["MODIFY"],
              dynamodb: { Keys: { pk: { S: [{ prefix: "c#" }] } } },
            }),
          },
          {
            Pattern: JSON.stringify({
              eventName: ["INSERT"],
              dynamodb: { Keys: { sk: { S: [{ prefix: "default#" }] } } },
            }),
          },
          {
            Pattern: JSON.stringify({
              dynamodb: {
                Keys: {
                  pk: { S: [{ prefix: "promocode#" }] },
                  sk: { S: ["head", { prefix: "generation#" }] },
                },
              },
            }),
          },
        ],
      },
    });
  });

  it("tries for almost as long as the stream remembers, then names what it could not count", () => {
    template.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
      BisectBatchOnFunctionError: false,
      MaximumRetryAttempts: -1,
      MaximumRecordAgeInSeconds: 23 * 3600,
      DestinationConfig: {
        OnFailure: { Destination: { "Fn::GetAtt": [Match.stringLikeRegexp("^CountingDeadLetters"), "Arn"] } },
      },
    });
  });
});

describe("every function", () => {
  const functions = ofType("AWS::Lambda::Function");

  it("runs on Node 24 on arm64 from its own bundle", () => {
    for (const [, { Properties }] of functions)
      expect(Properties).toMatchObject({
        Runtime: "nodejs24.x",
        Architectures: ["arm64"],
        Handler: "handler.handler",
      });
  });

  it("that answers a caller gives up a second before the gateway does", () => {
    const answering = functions.filter(
      ([id]) => id.startsWith("Api") && withoutHash(id) !== "ApiAuthorizeRequest",
    );

    expect(answering.length).toBeGreaterThan(20);
    for (const [, { Properties }] of answering) expect(Properties.Timeout).toBe(28);
  });

  it("writes to a log of its own that is kept for the stage's time", () => {
    const logs = ofType("AWS::Logs::LogGroup").filter(([id]) => id.includes("Logs"));
    const used = functions.map(([, { Properties }]) => JSON.stringify(Properties.LoggingConfig));

    expect(new Set(used).size).toBe(functions.length);
    expect(logs.length).toBe(functions.length);
    for (const [, log] of logs) expect(log.Properties.RetentionInDays).toBe(90);
  });
});
