import * as z from "zod";

const answerSchema = z.object({
  batchItemFailures: z.array(z.object({ itemIdentifier: z.string().min(1) })).nullish(),
});

/**
 * Names of the items that a function reported as failed. As on AWS, no answer means that all succeeded, and an
 * answer that cannot be understood, or names something else, means that all failed.
 */
export function failedItems(answer: unknown, items: readonly string[]): ReadonlySet<string> {
  if (answer === null || answer === undefined) return new Set();
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success) return new Set(items);
  const failed = (parsed.data.batchItemFailures ?? []).map((each) => each.itemIdentifier);
  return failed.every((item) => items.includes(item)) ? new Set(failed) : new Set(items);
}
