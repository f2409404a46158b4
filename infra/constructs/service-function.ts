import { join } from "node:path";
import { type CfnResource, Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import {
  Architecture,
  Code,
  Function as LambdaFunction,
  RecursiveLoop,
  Runtime,
} from "aws-cdk-lib/aws-lambda";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { serviceOf } from "../../shared/operations/metrics.ts";
import type { StageSettings } from "../stages.ts";

/** What all functions of a stack share. */
export interface FunctionDefaults {
  readonly settings: StageSettings;
  /** Folder with one built folder per function. */
  readonly bundles: string;
}

export interface ServiceFunctionProps extends FunctionDefaults {
  /** Folder below `functions/`. */
  readonly folder: string;
  /**
   * After this the function is stopped.
   * @default 28 seconds, one less than the gateway waits
   */
  readonly timeout?: Duration;
  /**
   * In MB.
   * @default the stage's
   */
  readonly memoryMb?: number;
  /**
   * True for a job that queues the rest of its work: Lambda would otherwise stop it after 16 rounds
   * (docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html).
   * @default false
   */
  readonly queuesForItself?: boolean;
}

/** A built function with logs of its own and, until something is bound to it, no other right. */
export class ServiceFunction extends LambdaFunction {
  private readonly ownRole: Role;

  constructor(
    scope: Construct,
    id: string,
    { settings, bundles, folder, timeout, memoryMb, queuesForItself = false }: ServiceFunctionProps,
  ) {
    const logGroup = new LogGroup(scope, `${id}Logs`, {
      retention: settings.logRetention,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    // A role of our own: the default one carries a managed policy that may write to every log of the account.
    const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    super(scope, id, {
      code: Code.fromAsset(join(bundles, folder)),
      handler: "handler.handler",
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: memoryMb ?? settings.memoryMb,
      timeout: timeout ?? Duration.seconds(28),
      role,
      logGroup,
      ...(queuesForItself ? { recursiveLoop: RecursiveLoop.ALLOW } : {}),
      environment: {
        POWERTOOLS_SERVICE_NAME: serviceOf(settings.name),
        POWERTOOLS_LOG_LEVEL: settings.logLevel,
      },
    });
    this.ownRole = role;
    logGroup.grantWrite(this);
    acknowledgeFindings(this);
  }

  /** Permits exactly these actions on exactly this resource. */
  permit(actions: readonly string[], resource: string): void {
    this.addToRolePolicy(new PolicyStatement({ actions: [...actions], resources: [resource] }));
  }

  /**
   * Permits exactly these actions on whatever lies below a resource; `/*` is appended.
   * @param parent The resource whose `Arn` it is, which is how cdk-nag names the finding.
   */
  permitBelow(actions: readonly string[], parent: CfnResource, path: string, reason: string): void {
    this.permit(actions, `${parent.getAtt("Arn").toString()}/${path}*`);
    Validations.of(this.ownRole).acknowledge({
      id: `AwsSolutions-IAM5[Resource::<${this.stack.getLogicalId(parent)}.Arn>/${path}*]`,
      reason,
    });
  }
}

function acknowledgeFindings(fn: ServiceFunction): void {
  const validations = Validations.of(fn);
  validations.acknowledge({
    id: "Serverless-LambdaTracing",
    reason: "X-Ray traces hold request paths, and a path can hold a customer's id.",
  });
  validations.acknowledge({
    id: "Serverless-LambdaDLQ",
    reason: "Never invoked asynchronously: API Gateway waits for it, queues and streams have dead letters.",
  });
  validations.acknowledge({
    id: "Serverless-LambdaAsyncFailureDestination",
    reason: "Never invoked asynchronously: API Gateway waits for it, queues and streams have dead letters.",
  });
}
