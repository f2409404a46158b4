import { Aws } from "aws-cdk-lib";
import { EventBus as Bus, Rule } from "aws-cdk-lib/aws-events";
import { SnsTopic } from "aws-cdk-lib/aws-events-targets";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { type ITopic, Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { IQueue, Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { eventSource } from "../../shared/contract/events.ts";
import { environmentNames } from "../../shared/environment.ts";
import type { StageSettings } from "../stages.ts";
import { DeadLetters } from "./dead-letters.ts";
import type { ServiceFunction } from "./service-function.ts";

/** Where the service tells what happened, and by setting the topic that carries it to people. */
export class EventBus extends Construct {
  readonly bus: Bus;
  /** Takes every event of the bus, and whatever alarms are given it; absent in a stage that notifies nobody. */
  readonly topic: Topic | undefined;
  /** What could not be delivered to the topic or from it; absent without one. */
  deadLetters: Queue | undefined;

  constructor(scope: Construct, id: string, { notify }: Pick<StageSettings, "notify">) {
    super(scope, id);
    this.bus = new Bus(this, "Bus", { description: "What happened in Codewell: docs/events.md" });
    this.topic = notify && this.addTopic(notify.emails);
  }

  /** Gives the function the bus's name and the right to put events on it. */
  bind(fn: ServiceFunction): void {
    fn.addEnvironment(environmentNames.eventBus, this.bus.eventBusName);
    fn.permit(["events:PutEvents"], this.bus.eventBusArn);
  }

  private addTopic(emails: readonly string[]): Topic {
    const topic = new Topic(this, "Topic", { masterKey: this.addKey(), enforceSSL: true });
    topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
        actions: ["sns:Publish"],
        resources: [topic.topicArn],
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
    );
    // The casts: CDK's own classes do not hold under exactOptionalPropertyTypes.
    this.deadLetters = new DeadLetters(this, "DeadLetters").queue;
    const deadLetterQueue = this.deadLetters as IQueue;
    new Rule(this, "Everything", {
      eventBus: this.bus,
      eventPattern: { source: [eventSource] },
      targets: [new SnsTopic(topic as ITopic, { deadLetterQueue })],
    });
    for (const email of emails) topic.addSubscription(new EmailSubscription(email, { deadLetterQueue }));
    return topic;
  }

  /**
   * A key of our own: AWS's own key for SNS lets no service in, so neither a rule nor an alarm could publish. The
   * statement is the one that SNS documents, without conditions
   * (docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).
   */
  private addKey(): Key {
    const key = new Key(this, "Key", { description: "Codewell's notifications", enableKeyRotation: true });
    key.addToResourcePolicy(
      new PolicyStatement({
        principals: ["events", "cloudwatch"].map((name) => new ServicePrincipal(`${name}.amazonaws.com`)),
        actions: ["kms:Decrypt", "kms:GenerateDataKey*"],
        resources: ["*"],
      }),
    );
    return key;
  }
}
