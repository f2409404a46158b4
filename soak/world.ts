import { randomUUID } from "node:crypto";
import type { AllocatedCodes, Allocation } from "../shared/contract/allocations.ts";
import type { AllocationMethod } from "../shared/contract/promocodes.ts";
import { type Claim, Ledger } from "./ledger.ts";
import type { ServiceProcess } from "./service-process.ts";
import { type Interruptions, untilAnswered } from "./until-answered.ts";

/** What was done to the service, counted as it was done. */
export interface Tally extends Interruptions {
  requests: number;
  allocations: number;
  /** Answers that gave a code again which its caller had. */
  repeated: number;
  defaults: number;
  files: number;
  /** Rows dropped whose codes the pool had already. */
  duplicates: number;
  exports: number;
  exportedRows: number;
  restarts: number;
  kills: number;
  /** Answers that nobody may get; the first of each kind in words. */
  readonly wrong: string[];
}

/** A promocode under load: what its callers know of it. */
export class SoakedPool {
  readonly promocodeId: string;
  readonly method: AllocationMethod;
  readonly ledger = new Ledger();
  /** Codes that were dropped, each once. */
  readonly dropped = new Set<string>();
  readonly #tally: Tally;

  constructor(promocodeId: string, method: AllocationMethod, tally: Tally) {
    this.promocodeId = promocodeId;
    this.method = method;
    this.#tally = tally;
  }

  /** One call of a caller: mostly for somebody new, every tenth for somebody who has a code. */
  async allocate(service: ServiceProcess): Promise<void> {
    const again = Math.random() < 0.1 ? this.ledger.anyClaim() : undefined;
    const answer = await this.#ask(service, again ?? this.#newClaim());
    if (again && answer && !answer.repeated)
      this.#tally.wrong.push("a code that was given again did not say so");
  }

  async #ask(service: ServiceProcess, claim: Claim): Promise<Allocation | undefined> {
    const { status, body } = await untilAnswered(
      () => service.client.allocate(this.promocodeId, requestOf(claim), headersOf(claim)),
      this.#tally,
    );
    this.#tally.requests += 1;
    if (status === 200 || status === 201) {
      this.#note(claim, body);
      return body;
    }
    this.#tally.wrong.push(`an allocation was answered ${status}: ${JSON.stringify(body)}`);
    return undefined;
  }

  /** Fifty customers in one call. */
  async allocateBatch(service: ServiceProcess): Promise<void> {
    const claims = Array.from({ length: 50 }, () => this.#newClaim("occurence"));
    const { status, body } = await untilAnswered(
      () =>
        service.client.call<AllocatedCodes>("POST", `/v1/promocodes/${this.promocodeId}/allocations/batch`, {
          allocations: claims.map(requestOf),
        }),
      this.#tally,
    );
    this.#tally.requests += 1;
    if (status !== 200) {
      this.#tally.wrong.push(`a batch was answered ${status}: ${JSON.stringify(body)}`);
      return;
    }
    for (const [at, result] of body.results.entries()) {
      const claim = claims[at];
      if (!claim) this.#tally.wrong.push("a batch has more results than entries");
      // An entry that failed by itself is asked for again: its code may have been given.
      else if ("problem" in result) await this.#ask(service, claim);
      else this.#note(claim, result);
    }
  }

  /** Drops a file: new codes, and one row in ten that the pool has. */
  async drop(service: ServiceProcess, codes: number): Promise<void> {
    const prefix = randomUUID().slice(0, 8).toUpperCase();
    const fresh = Array.from({ length: codes }, (_, at) => `${prefix}${String(at).padStart(6, "0")}`);
    const known = [...this.dropped].slice(0, Math.floor(codes / 10));
    const content = `code\n${[...fresh, ...known].join("\n")}\n`;
    const put = () =>
      service.client.drop(this.promocodeId, `${prefix}.csv`, content).then(() => ({ status: 200 }));
    await untilAnswered(put, this.#tally);
    for (const code of fresh) this.dropped.add(code);
    this.#tally.files += 1;
    this.#tally.duplicates += known.length;
  }

  /** Exports, and holds the rows against all that was answered before it was asked for. */
  async export(service: ServiceProcess): Promise<void> {
    const before = this.ledger.holdings();
    const exported = await this.exported(service);
    this.#tally.exports += 1;
    this.#tally.exportedRows += exported.size;
    const missing = [...before].filter(([code, customerId]) => exported.get(code) !== customerId);
    if (missing.length > 0)
      this.#tally.wrong.push(`an export lacks ${missing.length} of ${before.size} allocations`);
  }

  /** Customers by code, of an export made now. */
  async exported(service: ServiceProcess): Promise<ReadonlyMap<string, string>> {
    const ask = async () => {
      const { record, text } = await service.client.exportOf(`/v1/promocodes/${this.promocodeId}/exports`);
      return { status: record.status === "succeeded" ? 200 : 500, text };
    };
    const { text } = await untilAnswered(ask, this.#tally);
    const customers = new Map<string, string>();
    for (const row of text.trimEnd().split("\n").slice(1)) {
      const [customerId = "", , , , code = ""] = row.split(",");
      if (customers.has(code)) this.#tally.wrong.push("an export names a code twice");
      customers.set(code, customerId);
    }
    return customers;
  }

  #newClaim(by: "key" | "occurence" = Math.random() < 0.5 ? "key" : "occurence"): Claim {
    const trigger = this.method === "Consistent" ? null : `${by}-${randomUUID()}`;
    return { customerId: randomUUID(), trigger };
  }

  #note(claim: Claim, { source, uniqueCode, repeated, customerId }: Allocation): void {
    if (customerId !== claim.customerId) this.#tally.wrong.push("an answer is another customer's");
    if (source !== "pool") {
      this.#tally.defaults += 1;
      return;
    }
    this.#tally.allocations += 1;
    if (repeated) this.#tally.repeated += 1;
    if (!this.dropped.has(uniqueCode)) this.#tally.wrong.push("a code was given that is in no file");
    this.ledger.note(claim, uniqueCode);
  }
}

const requestOf = ({ customerId, trigger }: Claim): Readonly<Record<string, string>> => ({
  customerId,
  ...(trigger?.startsWith("occurence") && { occurenceId: trigger }),
});

const headersOf = ({ trigger }: Claim): Readonly<Record<string, string>> =>
  trigger?.startsWith("key") ? { "Idempotency-Key": trigger } : {};
