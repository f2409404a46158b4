import { readFileSync } from "node:fs";
import { App } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import recommendedFlags from "aws-cdk-lib/recommended-feature-flags.json" with { type: "json" };
import { AwsSolutionsChecks } from "cdk-nag";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { CodewellStack } from "../../infra/codewell-stack.ts";
import { type StageSettings, stageNames, stageSettings } from "../../infra/stages.ts";
import { routes } from "../../shared/contract/routes.ts";
import { type MetricName, metricNamespace, metrics } from "../../shared/operations/metrics.ts";
import { placeholderBundles } from "./placeholder-bundles.ts";
import { resourcesOf, templateOf } from "./synthesized.ts";

/** A metric that an alarm or the dashboard reads, whatever its spelling in the template. */
interface Read {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, unknown>>;
}

const metricSchema = z.object({
  Namespace: z.string(),
  MetricName: z.string(),
  Dimensions: z.array(z.object({ Name: z.string(), Value: z.unknown() })).default([]),
});
const alarmSchema = z.looseObject({
  AlarmDescription: z.string(),
  TreatMissingData: z.string(),
  AlarmName: z.undefined().optional(),
  AlarmActions: z.array(z.unknown()).optional(),
  Metrics: z
    .array(
      z.object({
        Expression: z.string().optional(),
        MetricStat: z.object({ Metric: metricSchema }).optional(),
      }),
    )
    .default([]),
});
type AlarmProperties = z.output<typeof alarmSchema>;

const alarmsOf = (template: Template): ReadonlyMap<string, AlarmProperties> =>
  new Map(
    [...resourcesOf(template)]
      .filter(([, { Type }]) => Type === "AWS::CloudWatch::Alarm")
      .map(([id, { Properties }]) => [id.slice("Alarms".length, -8), alarmSchema.parse(Properties)]),
  );

const readByAlarm = (alarm: AlarmProperties): Read[] => {
  const ofMath = alarm.Metrics.flatMap(({ MetricStat }) => MetricStat?.Metric ?? []);
  const own = metricSchema.safeParse(alarm);
  return [...ofMath, ...(own.success ? [own.data] : [])].map(({ Namespace, MetricName, Dimensions }) => ({
    namespace: Namespace,
    name: MetricName,
    dimensions: Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value])),
  }));
};

const widgetSchema = z.object({
  type: z.string(),
  width: z.number(),
  height: z.number(),
  x: z.number(),
  y: z.number(),
  properties: z.looseObject({
    title: z.string().optional(),
    query: z.string().optional(),
    markdown: z.string().optional(),
    alarms: z.array(z.string()).optional(),
    metrics: z.array(z.array(z.unknown())).default([]),
  }),
});
type Widget = z.output<typeof widgetSchema>;

/** The dashboard as CloudWatch gets it, with `<logical id>` where CloudFormation puts a name. */
const widgetsOf = (template: Template): Widget[] => {
  const [dashboard] = [...resourcesOf(template).values()].filter(
    ({ Type }) => Type === "AWS::CloudWatch::Dashboard",
  );
  const join = z.object({ "Fn::Join": z.tuple([z.literal(""), z.array(z.unknown())]) });
  const [, pieces] = join.parse(dashboard?.Properties.DashboardBody)["Fn::Join"];
  const body = pieces
    .map((piece) =>
      typeof piece === "string" ? piece : `<${JSON.stringify(piece).replace(/\W+/g, " ").trim()}>`,
    )
    .join("");
  return z.object({ widgets: z.array(widgetSchema) }).parse(JSON.parse(body)).widgets;
};

const readByWidget = ({ properties }: Widget): Read[] =>
  properties.metrics
    .filter(([namespace]) => typeof namespace === "string")
    .map(([namespace, name, ...rest]) => {
      const words = rest.filter((word) => typeof word === "string");
      const pairs = Array.from({ length: words.length / 2 }, (_, at) => [words[2 * at], words[2 * at + 1]]);
      return { namespace: String(namespace), name: String(name), dimensions: Object.fromEntries(pairs) };
    });

/** A heading as GitHub makes a link of it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, "")
    .replaceAll(" ", "-");

const runbookEntries = (): string[] => {
  const text = readFileSync("docs/operations.md", "utf8");
  const [, afterTitle = ""] = text.split(/^## Alarms$/m);
  const [section = ""] = afterTitle.split(/^## /m);
  return [...section.matchAll(/^### (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));
};

const stackWith = (settings: Partial<StageSettings>) => {
  const app = new App({ context: recommendedFlags, analyticsReporting: false });
  const stack = new CodewellStack(app, "Codewell-prod", {
    settings: { ...stageSettings("prod"), ...settings },
    bundles: placeholderBundles(),
  });
  return { app, template: Template.fromStack(stack) };
};

const alarms = alarmsOf(templateOf("prod"));
const notifying = stackWith({ notify: { emails: ["ops@example.com"] } }).template;
const widgets = widgetsOf(templateOf("prod"));

describe("the runbook", () => {
  const anchors = new Map(
    [...alarmsOf(notifying)].map(([id, { AlarmDescription }]) => [
      id,
      /What to do: docs\/operations\.md#([a-z0-9-]+)$/.exec(AlarmDescription)?.[1],
    ]),
  );

  it("has an entry for every alarm, and the alarm links to it", () => {
    const entries = new Set<string | undefined>(runbookEntries());

    expect(alarms.size).toBeGreaterThan(20);
    expect([...anchors].filter(([, anchor]) => !entries.has(anchor))).toEqual([]);
  });

  it("has no entry that no alarm leads to", () => {
    const linked = new Set(anchors.values());

    expect(runbookEntries().filter((entry) => !linked.has(entry))).toEqual([]);
  });
});

describe("an alarm", () => {
  it("watches the dead letters of every queue that has them, and the age of its oldest message", () => {
    const queues = [...resourcesOf(notifying)].filter(([, { Type }]) => Type === "AWS::SQS::Queue");
    const watched = (metric: string) =>
      [...alarmsOf(notifying).values()]
        .flatMap(readByAlarm)
        .filter(({ name }) => name === metric)
        .map(({ dimensions }) => JSON.stringify(dimensions.QueueName))
        .sort();
    const named = (isDead: boolean) =>
      queues
        .filter(([id]) => id.includes("DeadLetters") === isDead)
        .map(([id]) => JSON.stringify({ "Fn::GetAtt": [id, "QueueName"] }))
        .sort();

    expect(watched("ApproximateNumberOfMessagesVisible")).toEqual(named(true));
    expect(watched("ApproximateAgeOfOldestMessage")).toEqual(named(false));
  });

  it("has no fixed name and is silent while nothing is measured", () => {
    for (const alarm of alarms.values()) expect(alarm.TreatMissingData).toBe("notBreaching");
  });

  it("that adds metrics up rings also while some of them are silent", () => {
    const sums = [...alarms.values()]
      .flatMap(({ Metrics }) => Metrics.map(({ Expression = "" }) => Expression))
      .filter((expression) => /\+|SUM/.test(expression));

    // A plus sign between metrics gives nothing as soon as one of them has nothing.
    expect(sums.length).toBeGreaterThan(3);
    for (const sum of sums) expect(sum).toMatch(/SUM\(\[(\w+, )?(FILL\(\w+, 0\)(, )?)+\]\)$/);
  });

  it("rings at what the stage says", () => {
    const thresholds = {
      poolLowPercent: 21,
      defaultCodePercent: 22,
      apiFaultPercent: 23,
      allocationP99Ms: 24,
      queueAgeMinutes: 25,
      countsLateMinutes: 26,
      throttledRequests: 27,
    };
    const changed = alarmsOf(stackWith({ alarms: thresholds }).template);

    expect(Object.fromEntries([...changed].map(([id, { Threshold }]) => [id, Threshold]))).toMatchObject({
      PoolLow: 21,
      DefaultCodes: 22,
      ApiFaults: 23,
      SlowAllocations: 24,
      CodeFilesWaiting: 25 * 60,
      CountsLate: 26 * 60_000,
      TableThrottles: 27,
    });
  });

  it("is told to the topic of a stage that has one, as it begins and as it ends", () => {
    const topic = { Ref: Object.keys(notifying.findResources("AWS::SNS::Topic"))[0] };

    for (const alarm of alarmsOf(notifying).values())
      expect(alarm).toMatchObject({ AlarmActions: [topic], OKActions: [topic] });
    for (const alarm of alarms.values()) expect(alarm.AlarmActions).toBeUndefined();
  });
});

describe("the dashboard", () => {
  it("fits CloudWatch's grid, row by row", () => {
    const widthByRow = new Map<number, number>();
    for (const { y, width } of widgets) widthByRow.set(y, (widthByRow.get(y) ?? 0) + width);

    expect([...widthByRow.values()]).toEqual([...widthByRow.values()].map(() => 24));
  });

  it("shows the state of every alarm", () => {
    expect(widgets.flatMap(({ properties }) => properties.alarms ?? [])).toHaveLength(alarms.size);
  });

  it("finds the level of each pool in the lines of the counter, by fields that it publishes", () => {
    const [query = ""] = widgets.flatMap(({ properties }) => properties.query ?? []);

    expect(query).toMatch(/^SOURCE '<Ref CountingFunctionLogs\w+>'/);
    for (const name of ["PoolAvailable", "PoolAvailablePercent"] satisfies MetricName[])
      expect(query).toContain(name);
    expect(query).toContain("by promocodeId");
  });
});

describe("a metric of our own", () => {
  const own = [...[...alarms.values()].flatMap(readByAlarm), ...widgets.flatMap(readByWidget)].filter(
    ({ namespace }) => namespace === metricNamespace,
  );
  const routeNames = new Set(Object.values(routes).map(({ method, path }) => `${method} ${path}`));

  it("is read by the name and the dimensions that it is published by", () => {
    const published = new Map<string, readonly string[]>(
      Object.entries(metrics).map(([name, { dimensions }]) => [name, dimensions]),
    );

    expect(own.length).toBeGreaterThan(15);
    for (const { name, dimensions } of own) {
      const { service, ...others } = dimensions;
      expect([name, Object.keys(others).sort()]).toEqual([name, [...(published.get(name) ?? ["?"])].sort()]);
      expect(service).toBe("codewell-prod");
      if ("route" in others) expect(routeNames).toContain(others.route);
      if ("outcome" in others) expect(["success", "refusal", "fault"]).toContain(others.outcome);
    }
  });

  it("is read, each of them: one that nobody looks at costs for nothing", () => {
    const read = new Set(own.map(({ name }) => name));

    // Read line by line: see "the level of each pool".
    read.add("PoolAvailable");
    expect([...read].sort()).toEqual(Object.keys(metrics).sort());
  });

  it("carries the stage that functions publish for", () => {
    const functions = [...resourcesOf(templateOf("dev")).values()].filter(
      ({ Type }) => Type === "AWS::Lambda::Function",
    );

    for (const { Properties } of functions)
      expect(Properties.Environment).toMatchObject({
        Variables: { POWERTOOLS_SERVICE_NAME: "codewell-dev" },
      });
  });
});

describe("the firewall", { timeout: 60_000 }, () => {
  it.each(stageNames)("is not in front of %s", (stage) => {
    templateOf(stage).resourceCountIs("AWS::WAFv2::WebACL", 0);
  });

  it("is in front of the API's stage where the setting says so, and then needs no excuse", () => {
    const { app, template } = stackWith({ firewall: { requestsPerAddress: 5_000 } });

    template.hasResourceProperties("AWS::WAFv2::WebACL", {
      Scope: "REGIONAL",
      DefaultAction: { Allow: {} },
      Rules: [
        Match.objectLike({
          Action: { Block: {} },
          Statement: { RateBasedStatement: Match.objectLike({ AggregateKeyType: "IP", Limit: 5_000 }) },
        }),
        Match.objectLike({
          OverrideAction: { None: {} },
          Statement: {
            ManagedRuleGroupStatement: Match.objectLike({
              VendorName: "AWS",
              Name: "AWSManagedRulesCommonRuleSet",
            }),
          },
        }),
      ],
    });
    const resource = JSON.stringify(
      Object.values(template.findResources("AWS::WAFv2::WebACLAssociation"))[0]?.Properties.ResourceArn,
    );
    expect(resource).toMatch(/apigateway.*\/restapis\/.*ApiRest.*\/stages\/.*ApiRestDeploymentStageprod/);
    const findings = new AwsSolutionsChecks(app).validateScope(app).violations;
    expect(findings.map(({ ruleName }) => ruleName)).toEqual([]);
  });

  it("lets a batch through, callers without a User-Agent, and never keeps a path", () => {
    const { template } = stackWith({ firewall: { requestsPerAddress: 5_000 } });
    const rules = JSON.stringify(template.findResources("AWS::WAFv2::WebACL"));

    for (const name of ["SizeRestrictions_BODY", "NoUserAgent_HEADER"])
      expect(rules).toContain(JSON.stringify({ ActionToUse: { Count: {} }, Name: name }));
    expect(rules).not.toContain('"SampledRequestsEnabled":true');
    template.resourceCountIs("AWS::WAFv2::LoggingConfiguration", 0);
  });
});
