import { RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, BillingMode, StreamViewType, Table } from "aws-cdk-lib/aws-dynamodb";
import { Construct } from "constructs";
import type { TableAction } from "../../shared/contract/route.ts";
import { environmentNames } from "../../shared/environment.ts";
import { tableAttributes } from "../../shared/storage/table.ts";
import type { StageSettings } from "../stages.ts";
import type { ServiceFunction } from "./service-function.ts";

/**
 * The one table. A plain Table on purpose: a global one settles concurrent writes by "last writer wins", which would
 * give a code twice.
 */
export class CodeTable extends Construct {
  readonly table: Table;

  constructor(scope: Construct, id: string, { warmThroughput }: Pick<StageSettings, "warmThroughput">) {
    super(scope, id);
    this.table = new Table(this, "Table", {
      partitionKey: { name: tableAttributes.partitionKey, type: AttributeType.STRING },
      sortKey: { name: tableAttributes.sortKey, type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      stream: StreamViewType.NEW_AND_OLD_IMAGES,
      timeToLiveAttribute: tableAttributes.timeToLive,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      ...(warmThroughput && { warmThroughput }),
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  /** Gives the function the table's name and these rights on its items, in one step so that neither is forgotten. */
  bind(fn: ServiceFunction, actions: readonly TableAction[]): void {
    fn.addEnvironment(environmentNames.tableName, this.table.tableName);
    fn.permit(
      actions.map((action) => `dynamodb:${action}`),
      this.table.tableArn,
    );
  }
}
