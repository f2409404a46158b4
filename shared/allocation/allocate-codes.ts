import type { AllocateCode, Allocation } from "../contract/allocations.ts";
import type { AllocationContext } from "../domain/allocation-context.ts";
import type { Failure } from "../domain/failure.ts";
import { poolExhausted } from "../domain/failures.ts";
import type { GlobalPromocode, PersonalizedPromocode, StoredPromocode } from "../domain/promocode.ts";
import { allocateMany } from "../pool/bulk.ts";
import { allocate, type Placement } from "../pool/placement.ts";
import type { NewHolder } from "../pool/pool-store.ts";
import { contextIdOf, contextsOf } from "../storage/contexts.ts";
import { recordDefaultGiven } from "../storage/defaults-given.ts";
import { allocationAt } from "./allocation-at.ts";
import { poolOf } from "./pools.ts";
import { namedTrigger, triggerOf } from "./trigger.ts";

/** The promocode's own settings aside, what a call says about how to allocate. */
export interface Occasion {
  readonly idempotencyKey: string | undefined;
  readonly now: Date;
}

const contextOf = ({ occurenceId, seriesId, actionId }: AllocateCode): AllocationContext => ({
  occurenceId: occurenceId ?? null,
  seriesId: seriesId ?? null,
  actionId: actionId ?? null,
});

const newcomerOf = async (
  { promocodeId, uniqueCodes }: PersonalizedPromocode,
  request: AllocateCode,
  { idempotencyKey, now }: Occasion,
): Promise<NewHolder> => ({
  holder: {
    customerId: request.customerId,
    trigger: triggerOf(uniqueCodes.allocationMethod, request, idempotencyKey),
  },
  // Stored before the slot that names it, so that a crash in between leaves no slot without its context.
  stamp: { at: now.getTime(), contextId: await contextIdOf(promocodeId, contextOf(request)) },
});

const sharedCode = (promocode: GlobalPromocode, request: AllocateCode, { now }: Occasion): Allocation => ({
  customerId: request.customerId,
  promocodeId: promocode.promocodeId,
  promotionId: promocode.promotionId,
  fileId: null,
  uniqueCode: promocode.code,
  timestamp: now.toISOString(),
  ...contextOf(request),
  source: "global",
  repeated: false,
});

/**
 * A stop-gap, not an allocation: it takes no code and binds nobody, but support can see that it was given. A call that
 * is retried while the pool is dry gets the first answer again.
 */
const giveDefault = async (
  { promocodeId, promotionId, uniqueCodes }: PersonalizedPromocode,
  request: AllocateCode,
  { stamp }: NewHolder,
  { idempotencyKey, now }: Occasion,
): Promise<Allocation> => {
  const { customerId } = request;
  const { given, repeated } = await recordDefaultGiven(
    { promocodeId, customerId, trigger: namedTrigger(request, idempotencyKey) },
    { uniqueCode: uniqueCodes.defaultCode, timestamp: now.toISOString(), contextId: stamp.contextId },
  );
  const contexts = await contextsFor(promocodeId, given.contextId, request, stamp.contextId);
  const { uniqueCode, timestamp } = given;
  return {
    customerId,
    promocodeId,
    promotionId,
    fileId: null,
    uniqueCode,
    timestamp,
    ...contexts.get(given.contextId)!,
    source: "default",
    repeated,
  };
};

/** The context under this id: the request's own, or one that an earlier call stored. */
const contextsFor = async (
  promocodeId: string,
  contextId: string,
  request: AllocateCode,
  ownId: string,
): Promise<ReadonlyMap<string, AllocationContext>> =>
  contextId === ownId ? new Map([[contextId, contextOf(request)]]) : contextsOf(promocodeId, [contextId]);

const answerTo = async (
  promocode: PersonalizedPromocode,
  request: AllocateCode,
  newcomer: NewHolder,
  placement: Placement | undefined,
  occasion: Occasion,
): Promise<Allocation | Failure> => {
  if (!placement) {
    return promocode.uniqueCodes.onExhausted === "refuse"
      ? poolExhausted(promocode.promocodeId)
      : giveDefault(promocode, request, newcomer, occasion);
  }
  // A code that is given again tells what it was handed out for the first time.
  const contextId = placement.cell.stamps[placement.slot]?.contextId ?? "";
  const contexts = await contextsFor(promocode.promocodeId, contextId, request, newcomer.stamp.contextId);
  return allocationAt(promocode, placement, contexts);
};

/** Gives one customer a code, or the one they hold. A dry pool that is set to refuse answers the failure. */
export const allocateCode = async (
  promocode: StoredPromocode,
  request: AllocateCode,
  occasion: Occasion,
): Promise<Allocation | Failure> => {
  if (promocode.type === "global") return sharedCode(promocode, request, occasion);
  const pool = await poolOf(promocode);
  const newcomer = await newcomerOf(promocode, request, occasion);
  const placement = await allocate(pool, newcomer);
  return answerTo(promocode, request, newcomer, placement, occasion);
};

/** The same for many customers at once; answers in the order of the requests. */
export const allocateCodes = async (
  promocode: StoredPromocode,
  requests: readonly AllocateCode[],
  occasion: Occasion,
): Promise<readonly (Allocation | Failure)[]> => {
  if (promocode.type === "global") return requests.map((request) => sharedCode(promocode, request, occasion));
  const pool = await poolOf(promocode);
  const newcomers = await Promise.all(requests.map((request) => newcomerOf(promocode, request, occasion)));
  // A third of a read unit a customer, for fewer refused writes where homes are full or hold the customer already.
  const placements = await allocateMany(pool, newcomers, { readsFirst: true });
  return Promise.all(
    requests.map((request, at) => answerTo(promocode, request, newcomers[at]!, placements[at], occasion)),
  );
};
