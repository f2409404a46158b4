import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import type { CellAddress, Stamp } from "../../shared/pool/cell.ts";
import { type ErasureBatch, eraseBatch, findToErase } from "../../shared/pool/erasure.ts";
import { parseSalt } from "../../shared/pool/hash.ts";
import { homeCells } from "../../shared/pool/layout.ts";
import { dynamoErasureStore } from "../../shared/storage/erasure-store.ts";
import { erasures, type OpenErasure } from "../../shared/storage/erasures.ts";
import { generationsOf } from "../../shared/storage/generations.ts";

/**
 * Erases what this round finds of the person in one promocode: codes, intents, records of default codes. False when
 * the time was over before that. What it is about to erase is noted first and counted after, so that a run which dies
 * in between leaves no wrong count.
 */
export const eraseFromPromocode = async (
  run: OpenErasure,
  promocode: PersonalizedPromocode,
  hasTime: () => boolean,
): Promise<boolean> => {
  const { promocodeId } = promocode;
  const store = dynamoErasureStore({ ...run, promocodeId });
  const isOld = isOldIn(run);
  const homes = await homesOf(promocode, run.customerId);

  for await (const batch of findToErase({ store, customerId: run.customerId, homes, isOld })) {
    await notedAndCounted(run, namesOf(promocodeId, batch), () => eraseBatch(store, batch));
    if (!hasTime()) return false;
  }
  for await (const page of store.defaultRecords()) {
    const old = page.filter(({ timestamp }) => isOld({ at: Date.parse(timestamp) }));
    const names = old.map(({ which }) => `d ${promocodeId} ${which}`);
    await notedAndCounted(run, names, async () => {
      await Promise.all(old.map(store.removeDefaultRecord));
    });
    if (!hasTime()) return false;
  }
  return true;
};

/**
 * The first round takes everything: what it sees was there before it looked, whatever the clock of the call said. Later
 * ones leave whoever came with that id since the erasure was asked for.
 */
const isOldIn = ({ round, createdAt }: OpenErasure) => {
  const askedAt = Date.parse(createdAt);
  return ({ at }: Pick<Stamp, "at">): boolean => round === 1 || at < askedAt;
};

const homesOf = async (
  { promocodeId, base: number, salt }: PersonalizedPromocode,
  customerId: string,
): Promise<readonly CellAddress[]> => {
  if (number === undefined) return [];
  const base = (await generationsOf(promocodeId)).find((generation) => generation.number === number);
  if (!base) throw new Error(`generation ${number} is the base of ${promocodeId} but does not exist`);
  return homeCells(customerId, base, parseSalt(salt));
};

/** Names of what is erased, different for different things and without the person. */
const namesOf = (promocodeId: string, { slots, intents }: ErasureBatch): readonly string[] => [
  ...slots.map(
    ({ address: { generation, attempt, shard, cell }, slot }) =>
      `c ${promocodeId} ${generation}.${attempt}.${shard}.${cell}.${slot}`,
  ),
  ...intents.map(({ holder }) => `i ${promocodeId} ${holder.trigger ?? "-"}`),
];

const notedAndCounted = async (
  run: OpenErasure,
  names: readonly string[],
  erase: () => Promise<void>,
): Promise<void> => {
  if (names.length === 0) return;
  await erasures.note(run, names);
  await erase();
  await erasures.count(run, names);
};
