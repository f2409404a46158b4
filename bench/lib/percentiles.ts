/** The smallest sample that at least this share (0 to 1) of all samples do not exceed; NaN without samples. */
export const percentile = (samples: readonly number[], share: number): number => {
  const ascending = Float64Array.from(samples).sort();
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)] ?? Number.NaN;
};

/** What a bench tells of durations: the middle one, and the one that a caller in a hundred exceeds. */
export const percentiles = (samples: readonly number[]): { readonly p50: number; readonly p99: number } => ({
  p50: percentile(samples, 0.5),
  p99: percentile(samples, 0.99),
});
