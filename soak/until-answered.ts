import { setTimeout as sleep } from "node:timers/promises";

/** How often a call was made again because the service was away or in trouble. */
export interface Interruptions {
  count: number;
}

/** Statuses after which a caller waits and asks again, as the contract says. */
const passes = (status: number): boolean => status === 429 || status >= 500;

/**
 * Asks again and again, as a caller does who must know: the service is restarted and killed meanwhile. Whoever asks
 * names what they ask for, so that asking twice does no harm.
 */
export const untilAnswered = async <Reply extends { readonly status: number }>(
  ask: () => Promise<Reply>,
  interruptions: Interruptions,
): Promise<Reply> => {
  for (;;) {
    const reply = await ask().catch(() => undefined);
    if (reply !== undefined && !passes(reply.status)) return reply;
    interruptions.count += 1;
    await sleep(100 + Math.random() * 200);
  }
};
