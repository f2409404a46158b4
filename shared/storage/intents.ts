import type { CellAddress, Holder } from "../pool/cell.ts";
import { batchGet } from "./batch-get.ts";
import { intentItemAddress } from "./pool-store.ts";
import { queryAll } from "./query-all.ts";
import { type Key, keys, partitions, prefixes } from "./table.ts";

/** Where intents of the customer want, or wanted, to be placed in this promocode. Strongly consistent. */
export const intentAddressesOf = async (
  promocodeId: string,
  customerId: string,
): Promise<readonly CellAddress[]> => {
  const items = await queryAll(partitions.customer(customerId), `${prefixes.intent}${promocodeId}#`);
  return items.map(intentItemAddress);
};

const nameOf = ({ pk, sk }: Key): string => `${pk} ${sk}`;

/** Where the intent of each of these different holders leads, in their order. Strongly consistent. */
export const intentsOf = async (
  promocodeId: string,
  holders: readonly Holder[],
): Promise<readonly (CellAddress | undefined)[]> => {
  const wanted = holders.map(({ customerId, trigger }) => keys.intent(promocodeId, customerId, trigger));
  const items = await batchGet(wanted, { consistent: true });
  const found = new Map(items.map((item) => [nameOf(item as unknown as Key), intentItemAddress(item)]));
  return wanted.map((key) => found.get(nameOf(key)));
};
