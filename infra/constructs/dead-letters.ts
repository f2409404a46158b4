import { Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";

/** Keeps, for the longest time that SQS permits, what could not be done. */
export class DeadLetters extends Construct {
  readonly queue: Queue;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.queue = new Queue(this, "Queue", {
      retentionPeriod: Duration.days(14),
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const validations = Validations.of(this.queue);
    validations.acknowledge({
      id: "Serverless-SQSRedrivePolicy",
      reason: "It is itself the last stop: a person looks at what arrives here.",
    });
    validations.acknowledge({
      id: "AwsSolutions-SQS3",
      reason: "It is itself the last stop: a person looks at what arrives here.",
    });
  }
}
