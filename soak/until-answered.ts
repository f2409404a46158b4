import { setTimeout as sleep } from "node:timers/promises";

/** How often a call was made again because the service was away or in trouble. */
export interface Interruptions {
  count: number;
}

/** A service that answers nobody for so long does not come back: the soak ends with what it said last. */
const patienceMs = 300_000;

/** Statuses after which a caller waits and asks again, as the contract says. */
const passes = (status: number): boolean => status === 429 || status >= 500;

/**
 * Asks again and again, as a caller does who must know: the service is restarted and killed meanwhile. Whoever asks
 * names what they ask for, so that asking twice does no harm. Throws when nothing is answered for five minutes.
 */
export const untilAnswered = async <Reply extends { readonly status: number }>(
  ask: () => Promise<Reply>,
  interruptions: Interruptions,
): Promise<Reply> => {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const reply = await ask().catch((error: Error) => error);
    if (!(reply instanceof Error) && !passes(reply.status)) return reply;
    if (Date.now() > deadline) throw new Error("Nothing was answered for five minutes.", { cause: reply });
    interruptions.count += 1;
    await sleep(100 + Math.random() * 200);
  }
};
