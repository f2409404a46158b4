import { queryPages } from "./query-pages.ts";

/** All items of a partition whose sort key begins so, in order, strongly consistent: every page is read. */
export const queryAll = async (
  partitionKey: string,
  sortKeyPrefix: string,
): Promise<readonly Record<string, unknown>[]> => {
  const items: Record<string, unknown>[] = [];
  for await (const page of queryPages(partitionKey, sortKeyPrefix)) items.push(...page);
  return items;
};
