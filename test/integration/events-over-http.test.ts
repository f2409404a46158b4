import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { DeliveredEvent } from "../../local/event-bus/event-bridge-server.ts";
import { eventLine } from "../../local/event-line.ts";
import { type LocalService, startLocalService } from "../../local/local-service.ts";
import openapi from "../../openapi.json" with { type: "json" };
import { customers, someCodes } from "../support/codes.ts";
import { inParallel } from "../support/in-parallel.ts";
import { ServiceClient } from "../support/service-client.ts";

/** The built bundles with the template's rights to the bus: what somebody who watches it sees of a campaign. */
describe("the events of a campaign", { timeout: 240_000 }, () => {
  let directory: string;
  let service: LocalService;
  let client: ServiceClient;
  const shown: string[] = [];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "codewell-events-"));
    service = await startLocalService({
      directory,
      port: 0,
      onEvent: (event) => shown.push(eventLine(event)),
    });
    client = new ServiceClient(service.endpoints);
  }, 120_000);
  afterAll(async () => {
    await service.close();
    await rm(directory, { recursive: true, force: true });
  });

  const events = (): DeliveredEvent[] =>
    readFileSync(service.eventsFile, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as DeliveredEvent);
  const namesAfter = async (count: number): Promise<readonly string[]> => {
    await vi.waitFor(() => expect(events().length).toBeGreaterThanOrEqual(count), { timeout: 60_000 });
    return events().map(({ "detail-type": name, detail }) =>
      detail.by === undefined ? name : `${name} by ${String(detail.by)}`,
    );
  };
  const csv = (codes: readonly string[]) => `code\n${codes.join("\n")}\n`;

  it("are these, each once, through two refills, and again when it ran dry again", async () => {
    const { promocodeId } = await client.promocode({ lowPoolThreshold: 5, lowPoolPercent: 50 });
    const ask = (ids: readonly string[]) =>
      inParallel(ids, (customerId) => client.allocate(promocodeId, { customerId }));
    const all = customers(60);
    const expected: string[] = [];
    const expectNext = async (...names: readonly string[]) => {
      const seen = await namesAfter(expected.length + names.length);
      expect(seen.slice(0, expected.length)).toEqual(expected);
      expect(seen.slice(expected.length).sort()).toEqual([...names].sort());
      expected.push(...seen.slice(expected.length));
    };

    await client.upload(promocodeId, csv(someCodes(40, "A")));
    await expectNext("CodeFileLoaded");
    await ask(all.slice(0, 20));
    await expectNext("PoolLow by percent");
    await ask(all.slice(0, 35));
    await expectNext("PoolLow by count");
    await ask(all.slice(0, 44));
    await expectNext("PoolDry", "DefaultCodesGiven");
    await ask(all.slice(40, 50));

    await client.drop(promocodeId, "bad.csv", "");
    await expectNext("CodeFileFailed");
    await client.drop(promocodeId, "refill.csv", csv(someCodes(60, "B")));
    await expectNext("CodeFileLoaded");
    await client.until<{ pool: { available: number } }>(
      `/v1/promocodes/${promocodeId}`,
      ({ pool }) => pool.available === 60,
    );
    await client.exportOf(`/v1/promocodes/${promocodeId}/exports`);
    await expectNext("ExportReady");
    await client.audience(promocodeId, `customerId\n${customers(101).join("\n")}\n`);
    await expectNext(
      "AudienceReady",
      "PoolLow by percent",
      "PoolLow by count",
      "PoolDry",
      "DefaultCodesGiven",
    );

    // A last sign of life, so that whatever is still under way would have been seen.
    await client.drop(promocodeId, "last.csv", csv(someCodes(1, "C")));
    await expectNext("CodeFileLoaded");
    const ids = events().map(({ detail }) => detail.eventId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("match their descriptions, and name no customer and no code", () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: "openapi", ...openapi });
    const wrong = events().filter((event) => {
      const place = `#/webhooks/${event["detail-type"]}/post/requestBody/content/application~1json/schema`;
      return !ajv.validate(`openapi${place}`, event);
    });

    expect(wrong).toEqual([]);
    const text = readFileSync(service.eventsFile, "utf8");
    for (const secret of [...customers(101), ...someCodes(40, "A"), "DEFAULT", "refill.csv"])
      expect(text).not.toContain(secret);
  });

  it("are shown in one line each to whoever watches npm start", () => {
    expect(shown).toHaveLength(events().length);
    expect(shown[0]).toMatch(
      /^.*\d\d:\d\d:\d\d.* .*CodeFileLoaded.* File fil_\w+ brought 40 codes into promocode /,
    );
    for (const line of shown) expect(line).not.toContain("\n");
  });
});
