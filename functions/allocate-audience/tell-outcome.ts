import { audienceFailed, audienceReady, type ServiceEvent } from "../../shared/domain/service-events.ts";
import { tellOnce } from "../../shared/queues/tell-once.ts";
import { audiences, type StoredAudience } from "../../shared/storage/audiences.ts";

/** Tells on the bus that the audience is done, or that it failed; nothing of what was told before. */
export const tellOutcome = async (audienceId: string, now: Date): Promise<void> => {
  const audience = await audiences.find(audienceId, now);
  if (audience)
    await tellOnce(outcomeOf(audience), audience.told, (name) => audiences.markTold(audience, name));
};

const outcomeOf = (audience: StoredAudience): ServiceEvent | undefined => {
  const { audienceId, promocodeId, promotionId, mode, counts: summary, completedAt, failure } = audience;
  if (completedAt === null) return undefined;
  const common = { occurredAt: completedAt, audienceId, promocodeId, promotionId, mode, summary };
  if (failure) return audienceFailed({ ...common, failureCode: failure.code });
  const { customers } = audience.rows;
  return audienceReady({ ...common, customers, missing: audience.preview?.missing ?? null });
};
