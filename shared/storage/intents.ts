import type { CellAddress } from "../pool/cell.ts";
import { intentItemAddress } from "./pool-store.ts";
import { queryAll } from "./query-all.ts";
import { partitions, prefixes } from "./table.ts";

/** Where intents of the customer want, or wanted, to be placed in this promocode. Strongly consistent. */
export const intentAddressesOf = async (
  promocodeId: string,
  customerId: string,
): Promise<readonly CellAddress[]> => {
  const items = await queryAll(partitions.customer(customerId), `${prefixes.intent}${promocodeId}#`);
  return items.map(intentItemAddress);
};
