import { UsageError } from "../keys/arguments.ts";

const secondsByUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Seconds of "90s", "30m", "24h" or "7d". */
export const secondsIn = (option: string, text: string): number => {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count === undefined || unit === undefined)
    throw new UsageError(`--${option} is a time such as 0s, 30m, 24h or 7d.`);
  return Number(count) * (secondsByUnit[unit] ?? 1);
};
