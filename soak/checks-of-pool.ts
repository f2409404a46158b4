import type { Promocode } from "../shared/contract/promocodes.ts";
import { environmentNames } from "../shared/environment.ts";
import type { Check } from "./run-soak.ts";
import type { ServiceProcess } from "./service-process.ts";
import type { SoakedPool } from "./world.ts";

/** Every code of the pool held against every answer: by the answers, by an export, by the counts, cell by cell. */
export const checksOfPool = async (service: ServiceProcess, pool: SoakedPool): Promise<readonly Check[]> => {
  const { promocodeId, method, ledger, dropped } = pool;
  const answered = ledger.holdings();
  const exported = await pool.exported(service);
  const { body } = await service.client.call<Promocode>("GET", `/v1/promocodes/${promocodeId}`);
  const { total = 0, allocated = 0, available = 0 } = body.pool ?? {};
  const cells = await verified(service, promocodeId);

  const differing = [...answered].filter(([code, customerId]) => exported.get(code) !== customerId).length;
  const unheard = [...exported].filter(([code]) => !answered.has(code)).length;
  const lost = Math.abs(dropped.size - cells.allocated - cells.free);
  const check = (what: string, holds: boolean, found: string | number): Check => ({
    what: `${method}: ${what}`,
    holds,
    found: String(found),
  });
  return [
    check("codes given to two", ledger.givenTwice.size === 0, ledger.givenTwice.size),
    check("customers or triggers with two codes", ledger.withTwo.size === 0, ledger.withTwo.size),
    check("codes lost, of all that were dropped", lost === 0, `${lost} of ${dropped.size}`),
    check(
      "the export is what was answered, row by row",
      differing === 0 && unheard === 0,
      `${answered.size} answered, ${exported.size} exported`,
    ),
    check(
      "the counts are the cells'",
      total === dropped.size && allocated === cells.allocated && available === cells.free,
      `${allocated} of ${total} allocated`,
    ),
    check(
      "npm run verify finds nothing",
      cells.findings.length + cells.warnings.length === 0,
      `${cells.findings.length + cells.warnings.length} in ${cells.cells} cells`,
    ),
  ];
};

/** The walk of `npm run verify`, over the service's own table. */
const verified = async ({ client }: ServiceProcess, promocodeId: string) => {
  const { endpoint, region, accessKeyId, secretAccessKey, tableName } = client.endpoints.dynamodb;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_DYNAMODB: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    [environmentNames.tableName]: tableName,
  });
  // Only now: the SDK keeps the first endpoint that it used.
  const { verifyPool } = await import("../commands/verify/verify-pool.ts");
  return verifyPool(promocodeId);
};
