import { App, Stack } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { AwsSolutionsChecks, ServerlessChecks } from "cdk-nag";
import { describe, expect, it } from "vitest";
import { EventBus } from "../../infra/constructs/event-bus.ts";
import type { StageSettings } from "../../infra/stages.ts";
import { templateOf } from "./synthesized.ts";

const aBus = (notify: NonNullable<StageSettings["notify"]>) => {
  const app = new App();
  const stack = new Stack(app, "Notifying");
  const events = new EventBus(stack, "Events", { notify });
  return { app, events, template: Template.fromStack(stack) };
};

describe("the event bus", () => {
  it("is one of the stack's own, and every function that tells something knows its name", () => {
    const template = templateOf("prod");

    template.resourceCountIs("AWS::Events::EventBus", 1);
    for (const part of ["Loading", "Allocating", "Exporting", "Withdrawing", "Counting"])
      template.hasResource("AWS::Lambda::Function", {
        Properties: {
          Environment: {
            Variables: Match.objectLike({
              EVENT_BUS_NAME: { Ref: Match.stringLikeRegexp("^EventsBus") },
            }),
          },
        },
        DependsOn: Match.arrayWith([Match.stringLikeRegexp(`^${part}FunctionRole`)]),
      });
  });

  it("has no topic where nobody is to be notified", () => {
    const template = templateOf("prod");

    for (const type of ["AWS::SNS::Topic", "AWS::Events::Rule", "AWS::KMS::Key"])
      template.resourceCountIs(type, 0);
  });
});

describe("the topic of a stage that notifies", () => {
  const { app, events, template } = aBus({ emails: ["ops@example.com", "shop@example.com"] });

  it("gets every event of the service, and none that others put on the bus", () => {
    template.hasResourceProperties("AWS::Events::Rule", {
      EventBusName: { Ref: Match.stringLikeRegexp("^EventsBus") },
      EventPattern: { source: ["codewell"] },
      Targets: [
        {
          Arn: { Ref: Match.stringLikeRegexp("^EventsTopic") },
          DeadLetterConfig: { Arn: { "Fn::GetAtt": [Match.stringLikeRegexp("^EventsDeadLetters"), "Arn"] } },
          Input: Match.absent(),
          InputTransformer: Match.absent(),
          // With a role, EventBridge may fail to deliver to an encrypted topic.
          RoleArn: Match.absent(),
        },
      ],
    });
  });

  it("is encrypted with a key that lets the bus and the alarms in, and turns over by itself", () => {
    template.hasResourceProperties("AWS::SNS::Topic", {
      KmsMasterKeyId: { "Fn::GetAtt": [Match.stringLikeRegexp("^EventsKey"), "Arn"] },
    });
    template.hasResourceProperties("AWS::KMS::Key", {
      EnableKeyRotation: true,
      KeyPolicy: {
        Statement: Match.arrayWith([
          {
            Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
            Effect: "Allow",
            Principal: { Service: ["events.amazonaws.com", "cloudwatch.amazonaws.com"] },
            Resource: "*",
          },
        ]),
      },
    });
  });

  it.each(["events.amazonaws.com", "cloudwatch.amazonaws.com"])("may be published to by %s", (service) => {
    template.hasResourceProperties("AWS::SNS::TopicPolicy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Action: "sns:Publish", Effect: "Allow", Principal: { Service: service } }),
        ]),
      },
    });
  });

  it("refuses whoever does not use TLS", () => {
    template.hasResourceProperties("AWS::SNS::TopicPolicy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
        ]),
      },
    });
  });

  it("is sent to each address", () => {
    for (const Endpoint of ["ops@example.com", "shop@example.com"])
      template.hasResourceProperties("AWS::SNS::Subscription", { Protocol: "email", Endpoint });
  });

  it("is there for alarms", () => {
    expect(events.topic?.topicArn).toBeDefined();
  });

  it("gives cdk-nag nothing to say", () => {
    app.synth();

    const findings = [new AwsSolutionsChecks(app), new ServerlessChecks(app)].flatMap((pack) =>
      pack.validateScope(app).violations.map(({ ruleName }) => ruleName),
    );
    expect(findings).toEqual([]);
  });
});
