import { audienceOf, type StoredAudience } from "./audiences.ts";
import { batchGet } from "./batch-get.ts";
import { listPage } from "./list-page.ts";
import { keys, partitions, tableAttributes } from "./table.ts";

/** A page of the promocode's audiences, newest first. Strongly consistent; without those whose time is over. */
export const audiencesOfPromocode = async (
  promocodeId: string,
  { limit, cursor }: { readonly limit: number; readonly cursor: string | undefined },
  now: Date,
): Promise<{ readonly items: readonly StoredAudience[]; readonly nextCursor?: string }> => {
  const page = await listPage({
    list: `promocodes/${promocodeId}/audiences`,
    partitionKey: partitions.audiencesOf(promocodeId),
    limit,
    cursor,
    backwards: true,
    filter: {
      FilterExpression: "#expiresAt > :now",
      ExpressionAttributeNames: { "#expiresAt": tableAttributes.timeToLive },
      ExpressionAttributeValues: { ":now": Math.floor(now.getTime() / 1000) },
    },
  });
  const ids = page.items.map(({ audienceId }) => String(audienceId));
  const records = await batchGet(ids.map(keys.audience), { consistent: true });
  const byId = new Map(records.map(audienceOf).map((audience) => [audience.audienceId, audience]));
  // A record that its time to live took a moment before its entry is left out.
  return { ...page, items: ids.flatMap((audienceId) => byId.get(audienceId) ?? []) };
};
