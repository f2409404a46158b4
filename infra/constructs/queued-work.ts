import { Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import { EventSourceMapping } from "aws-cdk-lib/aws-lambda";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { environmentNames } from "../../shared/environment.ts";
import { mostReceives } from "../../shared/queues/most-receives.ts";
import type { Job } from "../jobs.ts";
import { DeadLetters } from "./dead-letters.ts";
import { type FunctionDefaults, ServiceFunction } from "./service-function.ts";

export interface QueuedWorkProps extends FunctionDefaults {
  readonly job: Job;
}

/** Lambda's longest run; the jobs queue the rest of their work before it ends. */
const timeout = Duration.minutes(15);

/** A queue, the function that takes its messages one by one, and where those end that keep failing. */
export class QueuedWork extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;
  readonly function: ServiceFunction;

  constructor(scope: Construct, id: string, { job, ...defaults }: QueuedWorkProps) {
    super(scope, id);
    this.deadLetters = new DeadLetters(this, "DeadLetters").queue;
    this.queue = new Queue(this, "Queue", {
      // A failed message comes back when this is over, so every minute more is a minute that a file waits for its
      // second chance. The usual advice, six times the timeout, is for throttled batches: here messages come one by
      // one, the source's own concurrency keeps it from being throttled, and a message seen twice does no harm.
      visibilityTimeout: timeout.plus(Duration.minutes(1)),
      retentionPeriod: Duration.days(14),
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: mostReceives },
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.function = new ServiceFunction(this, "Function", {
      ...defaults,
      folder: job.folder,
      memoryMb: job.memoryMb,
      timeout,
      queuesForItself: job.needs.queues?.includes(job.queue) ?? false,
    });
    this.queue.grantConsumeMessages(this.function);
    const source = new EventSourceMapping(this, "Source", {
      target: this.function,
      eventSourceArn: this.queue.queueArn,
      batchSize: 1,
      maxConcurrency: defaults.settings.jobConcurrency[job.queue],
      reportBatchItemFailures: true,
    });
    Validations.of(source).acknowledge({
      id: "Serverless-LambdaEventSourceMappingDestination",
      reason: "A queue has no failure destination: its redrive policy moves what keeps failing.",
    });
  }

  /** Gives the function the queue's address and the right to send to it. */
  bindSender(fn: ServiceFunction, name: Job["queue"]): void {
    fn.addEnvironment(environmentNames[name], this.queue.queueUrl);
    fn.permit(["sqs:SendMessage"], this.queue.queueArn);
  }
}
