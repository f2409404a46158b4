import { CfnOutput, Stack } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Needs, QueueName } from "../shared/contract/route.ts";
import { environmentNames } from "../shared/environment.ts";
import { Alarms } from "./constructs/alarms.ts";
import { AllocationCounter } from "./constructs/allocation-counter.ts";
import { CodeTable } from "./constructs/code-table.ts";
import { Dashboard } from "./constructs/dashboard.ts";
import { EventBus } from "./constructs/event-bus.ts";
import { FileBuckets } from "./constructs/file-buckets.ts";
import { HttpApi } from "./constructs/http-api.ts";
import { QueuedWork } from "./constructs/queued-work.ts";
import type { FunctionDefaults, ServiceFunction } from "./constructs/service-function.ts";
import { jobs, workers } from "./jobs.ts";

/** Codewell in one stack: notification, queue and grants over two stacks would wait for each other. */
export class CodewellStack extends Stack {
  /** What happened is told here; its topic, if the stage has one, takes alarms too. */
  readonly events: EventBus;
  private readonly table: CodeTable;
  private readonly queues: Readonly<Record<QueueName, QueuedWork>>;
  private readonly files: FileBuckets;

  constructor(scope: Construct, id: string, defaults: FunctionDefaults) {
    super(scope, id, { description: `Codewell, promotion codes as a service (${defaults.settings.name})` });

    this.events = new EventBus(this, "Events", defaults.settings);
    this.table = new CodeTable(this, "Codes", defaults.settings);
    const loading = new QueuedWork(this, "Loading", { ...defaults, job: jobs.loadCodeFile });
    const exporting = new QueuedWork(this, "Exporting", { ...defaults, job: jobs.buildExport });
    const withdrawing = new QueuedWork(this, "Withdrawing", { ...defaults, job: jobs.sealCodeFile });
    const allocating = new QueuedWork(this, "Allocating", { ...defaults, job: jobs.allocateAudience });
    const erasing = new QueuedWork(this, "Erasing", { ...defaults, job: jobs.runErasure });
    this.queues = {
      audiences: allocating,
      "code-files": loading,
      erasures: erasing,
      exports: exporting,
      withdrawals: withdrawing,
    };
    this.files = new FileBuckets(this, "Files", {
      settings: defaults.settings,
      codeFileArrivals: loading.queue,
      audienceArrivals: allocating.queue,
    });
    const counting = new AllocationCounter(this, "Counting", { ...defaults, table: this.table });
    const api = new HttpApi(this, "Api", { ...defaults, bind: (fn, needs) => this.bind(fn, needs) });

    this.bind(counting.function, workers.countAllocations.needs);
    this.bind(loading.function, jobs.loadCodeFile.needs);
    this.bind(exporting.function, jobs.buildExport.needs);
    this.bind(withdrawing.function, jobs.sealCodeFile.needs);
    this.bind(allocating.function, jobs.allocateAudience.needs);
    this.bind(erasing.function, jobs.runErasure.needs);
    erasing.function.addEnvironment(
      environmentNames.callsEndWithinSeconds,
      String(defaults.settings.callsEndWithinSeconds),
    );

    const { settings } = defaults;
    const watched = { settings, api, table: this.table, works: this.queues, counter: counting };
    const alarms = new Alarms(this, "Alarms", { ...watched, events: this.events });
    new Dashboard(this, "Overview", { ...watched, alarms });

    new CfnOutput(this, "ApiUrl", { value: api.url });
    new CfnOutput(this, "RestApiId", { value: api.api.restApiId });
    new CfnOutput(this, "UsagePlanId", { value: api.usagePlan.usagePlanId });
    new CfnOutput(this, "EventBusName", { value: this.events.bus.eventBusName });
    new CfnOutput(this, "TableName", { value: this.table.table.tableName });
    new CfnOutput(this, "UploadsBucket", { value: this.files.uploads.bucketName });
    new CfnOutput(this, "ExportsBucket", { value: this.files.exports.bucketName });
  }

  /** Least privilege in one place: names and rights of exactly what the function's entry says. */
  private bind(fn: ServiceFunction, needs: Needs): void {
    const { table, uploads, audiences, exports, audienceResults, rejects, queues, events } = needs;
    if (table !== undefined) this.table.bind(fn, table);
    if (uploads !== undefined) this.files.bindUploads(fn, uploads);
    if (audiences !== undefined) this.files.bindAudiences(fn, audiences);
    if (exports !== undefined) this.files.bindExports(fn, exports);
    if (audienceResults !== undefined) this.files.bindAudienceResults(fn, audienceResults);
    if (rejects !== undefined) this.files.bindRejects(fn, rejects);
    for (const name of queues ?? []) this.queues[name].bindSender(fn, name);
    if (events) this.events.bind(fn);
  }
}
