import type { Metered } from "../lib/metering-store.ts";
import { playPoolLife } from "../lib/pool-life.ts";
import type { Scenario } from "../scenario.ts";

/** What DynamoDB serves of one partition (docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html). */
const partitionWriteUnits = 1_000;

/** The busiest second of something that write units are counted by. */
interface Peak {
  readonly units: number;
  readonly name: string;
  readonly second: number;
}

/** Write units by second of virtual time and by what `nameOf` says. */
class UnitsPerSecond {
  readonly #seconds: Map<string, number>[] = [];
  readonly #nameOf: (metered: Metered) => string;

  constructor(nameOf: (metered: Metered) => string) {
    this.#nameOf = nameOf;
  }

  add(metered: Metered, at: number): void {
    const second = Math.floor(at / 1000);
    this.#seconds[second] ??= new Map();
    const units = this.#seconds[second];
    const name = this.#nameOf(metered);
    units.set(name, (units.get(name) ?? 0) + metered.writeUnits);
  }

  peakOf(second: number): Peak {
    let peak: Peak = { units: 0, name: "", second };
    for (const [name, units] of this.#seconds[second] ?? [])
      if (units > peak.units) peak = { units, name, second };
    return peak;
  }

  peaks(): readonly Peak[] {
    return this.#seconds.map((_, second) => this.peakOf(second));
  }
}

const highest = (peaks: readonly Peak[]): Peak =>
  peaks.reduce((best, peak) => (peak.units > best.units ? peak : best));

const shardOf = ({ key }: Metered): string => key.pk;
const itemOf = ({ key, operation }: Metered): string => `${key.pk} ${key.sk} ${operation}`;
/** What was written to the item, for a reader. */
const operationOf = ({ name }: Peak): string => name.split(" ").at(-1) ?? "";

type Options = { readonly codes: number; readonly perSecond: number; readonly instances: number };

export const scenario: Scenario<Options> = {
  name: "model",
  summary:
    "a model, not a measurement: how hot items and partitions get at a rate that no local engine serves",
  defaults: {
    small: { codes: 60_000, perSecond: 10_000, instances: 600 },
    full: { codes: 300_000, perSecond: 10_000, instances: 600 },
  },

  async run({ options: { codes, perSecond, instances }, progress }) {
    const byItem = new UnitsPerSecond(itemOf);
    const byPartitionKey = new UnitsPerSecond(shardOf);
    const byTable = new UnitsPerSecond(() => "table");
    let writes = 0;
    await playPoolLife({
      codes,
      instances,
      perSecond,
      observe: (metered, at) => {
        if (metered.writeUnits === 0) return;
        for (const units of [byItem, byPartitionKey, byTable]) units.add(metered, at);
        writes += 1;
        if (writes % 5_000 === 0)
          progress("playing a pool's life in virtual time", Math.min(1, writes / codes));
      },
    });

    const hottestItem = highest(byItem.peaks());
    const hottestKey = highest(byPartitionKey.peaks());
    return {
      figures: [
        {
          name: `hottest item at ${perSecond.toLocaleString("en-US")} allocations per second`,
          value: hottestItem.units,
          unit: "write units/s",
          target: { atMost: 100 },
          kind: "model",
          note: `in second ${hottestItem.second + 1} of the pool's life: ${operationOf(hottestItem)}; the real allocation code over a store that charges by DynamoDB's item sizes, with a clock of its own`,
        },
        {
          name: "hottest partition key at this rate",
          value: hottestKey.units,
          unit: "write units/s",
          target: { atMost: partitionWriteUnits },
          kind: "model",
          note: "a partition serves 1,000; with every partition key on a partition of its own nothing would be throttled",
        },
        {
          name: "the whole table at this rate, busiest second",
          value: highest(byTable.peaks()).units,
          unit: "write units/s",
          kind: "model",
          note: "a new table serves 4,000 and doubles within 30 minutes; see docs/cost-and-capacity.md, warmThroughput",
        },
      ],
      tables: [
        {
          title: `Model: write units per second, ${codes.toLocaleString("en-US")} codes, ${instances} instances`,
          columns: ["second", "table", "hottest partition key", "hottest item", "by"],
          rows: byTable
            .peaks()
            .map(({ second, units }) => [
              second + 1,
              units,
              byPartitionKey.peakOf(second).units,
              byItem.peakOf(second).units,
              operationOf(byItem.peakOf(second)),
            ]),
        },
      ],
    };
  },
};
