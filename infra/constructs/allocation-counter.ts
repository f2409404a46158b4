import { Duration } from "aws-cdk-lib";
import type { CfnTable } from "aws-cdk-lib/aws-dynamodb";
import { EventSourceMapping, FilterCriteria, FilterRule, StartingPosition } from "aws-cdk-lib/aws-lambda";
import { SqsDlq } from "aws-cdk-lib/aws-lambda-event-sources";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import {
  cellPartitionPrefix,
  defaultGivenPrefix,
  generationPrefix,
  promocodeHead,
  promocodePartitionPrefix,
  tableAttributes,
} from "../../shared/storage/table.ts";
import { workers } from "../jobs.ts";
import type { CodeTable } from "./code-table.ts";
import { DeadLetters } from "./dead-letters.ts";
import { type FunctionDefaults, ServiceFunction } from "./service-function.ts";

export interface AllocationCounterProps extends FunctionDefaults {
  readonly table: CodeTable;
}

const keyStartsWith = (attribute: string, prefix: string) => ({
  dynamodb: { Keys: { [attribute]: { S: FilterRule.beginsWith(prefix) } } },
});

/** Counts, from the table's stream, what was handed out. */
export class AllocationCounter extends Construct {
  readonly function: ServiceFunction;
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, { table, ...defaults }: AllocationCounterProps) {
    super(scope, id);
    this.function = new ServiceFunction(this, "Function", {
      ...defaults,
      folder: workers.countAllocations.folder,
      timeout: Duration.minutes(1),
    });
    permitReadingStream(this.function, table);

    this.deadLetters = new DeadLetters(this, "DeadLetters").queue;
    new EventSourceMapping(this, "Source", {
      target: this.function,
      eventSourceArn: table.table.tableStreamArn ?? "",
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 1000,
      // Names the shard in the event: a count remembers how far it is in each shard, so that a replay counts once.
      tumblingWindow: Duration.seconds(1),
      parallelizationFactor: 1,
      filters: [
        FilterCriteria.filter({
          eventName: FilterRule.isEqual("MODIFY"),
          ...keyStartsWith(tableAttributes.partitionKey, cellPartitionPrefix),
        }),
        FilterCriteria.filter({
          eventName: FilterRule.isEqual("INSERT"),
          ...keyStartsWith(tableAttributes.sortKey, defaultGivenPrefix),
        }),
        // A file that came or was withdrawn, a threshold that was set: the pool may be low now, or no longer.
        FilterCriteria.filter({
          dynamodb: {
            Keys: {
              [tableAttributes.partitionKey]: { S: FilterRule.beginsWith(promocodePartitionPrefix) },
              [tableAttributes.sortKey]: { S: [promocodeHead, { prefix: generationPrefix }] },
            },
          },
        }),
      ],
      // Tried again for as long as the stream holds the records, which is 24 hours; what is given up an hour before
      // is named in the dead letters, so that the counts can be made anew.
      bisectBatchOnError: false,
      retryAttempts: -1,
      maxRecordAge: Duration.hours(23),
      onFailure: new SqsDlq(this.deadLetters),
    });
  }
}

function permitReadingStream(fn: ServiceFunction, { table }: CodeTable): void {
  fn.permit(
    ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
    table.tableStreamArn ?? "",
  );
  // The event source does not start without it; as narrow as AWS's own policy template for streams
  // (docs.aws.amazon.com/serverless-application-model, DynamoDBStreamReadPolicy).
  fn.permitBelow(
    ["dynamodb:ListStreams"],
    table.node.defaultChild as CfnTable,
    "stream/",
    "Listing streams is asked of all streams of the table, of which there is one.",
  );
}
