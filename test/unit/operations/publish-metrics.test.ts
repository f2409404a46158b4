import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { metricNamespace, metrics } from "../../../shared/operations/metrics.ts";
import { metricLinesOf } from "../../support/metric-lines.ts";

type Publish = typeof import("../../../shared/operations/publish-metrics.ts")["publishMetrics"];

const linesOf = (work: (publish: Publish) => void) =>
  metricLinesOf(async () => {
    const { publishMetrics } = await import("../../../shared/operations/publish-metrics.ts");
    work(publishMetrics);
  });

describe("a metric", () => {
  it.each(Object.entries(metrics))(
    "of the name %s is published as the list says",
    async (name, definition) => {
      const dimensions = Object.fromEntries(definition.dimensions.map((dimension) => [dimension, "x"]));

      const lines = await linesOf((publish) =>
        publish({ [name]: 7 } as never, { dimensions: dimensions as never }),
      );

      expect(lines).toHaveLength(1);
      expect(lines[0]?._aws.CloudWatchMetrics[0]).toEqual({
        Namespace: metricNamespace,
        Dimensions: [["service", ...definition.dimensions]],
        Metrics: [{ Name: name, Unit: definition.unit }],
      });
      expect(lines[0]).toMatchObject({ service: "codewell-test", [name]: 7, ...dimensions });
    },
  );

  it("leaves nothing behind for the next one", async () => {
    const lines = await linesOf((publish) => {
      publish({ duration: 3 }, { dimensions: { route: "GET /health", outcome: "success" } });
      publish(
        { PoolAvailable: 5, PoolAvailablePercent: 50 },
        { dimensions: {}, metadata: { promocodeId: "pcd_1" } },
      );
      publish({ JobFailed: 1 }, { dimensions: {} });
    });

    expect(lines.map(({ _aws, ...fields }) => fields)).toEqual([
      { service: "codewell-test", duration: 3, route: "GET /health", outcome: "success" },
      { service: "codewell-test", PoolAvailable: 5, PoolAvailablePercent: 50, promocodeId: "pcd_1" },
      { service: "codewell-test", JobFailed: 1 },
    ]);
  });

  it("is published from one place", () => {
    const sources = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "shared", "functions"], {
      encoding: "utf8",
    });

    const publishing = sources
      .split("\n")
      .filter((path) => path.endsWith(".ts"))
      .filter((path) => readFileSync(path, "utf8").includes("@aws-lambda-powertools/metrics"));

    expect(publishing).toEqual(["shared/operations/publish-metrics.ts"]);
  });
});
