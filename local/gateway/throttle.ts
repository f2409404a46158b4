/** True when the key may send one more request now. */
export type Throttle = (key: string, now: number) => boolean;

/** A token bucket per key: `burstLimit` at once, refilled at `rateLimit` per second. */
export function throttle({ rateLimit, burstLimit }: { rateLimit: number; burstLimit: number }): Throttle {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return (key, now) => {
    const bucket = buckets.get(key) ?? { tokens: burstLimit, at: now };
    buckets.set(key, bucket);
    bucket.tokens = Math.min(burstLimit, bucket.tokens + ((now - bucket.at) / 1_000) * rateLimit);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  };
}
