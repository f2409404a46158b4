import { publishMetrics } from "../operations/publish-metrics.ts";

/** Counts an object that belongs to no promocode: somebody dropped a file where nobody will ever look at it. */
export const countUnclaimedObject = (): void => {
  publishMetrics({ UnclaimedObjects: 1 }, { dimensions: {} });
};
