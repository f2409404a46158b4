import { setTimeout as sleep } from "node:timers/promises";
import type { Generation } from "../../shared/pool/generation.ts";
import { generationsOf } from "../../shared/storage/generations.ts";
import {
  type CountCorrection,
  heldSlots,
  recordedDefaults,
  storedCount,
} from "../../shared/storage/recounts.ts";

/** What was found of a count, and what became of it. */
export interface RecountedCount {
  readonly promocodeId: string;
  /** Null: default codes. */
  readonly fileId: string | null;
  readonly counted: number;
  /** By reading all of it. */
  readonly held: number;
  /**
   * `agrees`; `wrong`: nothing moved, and it still differs; `in-use`: it moved, so it may just be late; `kept`: more
   * default codes were counted than there are records, as after an erasure; `corrected`.
   */
  readonly state: "agrees" | "wrong" | "in-use" | "kept" | "corrected";
}

export interface Recount {
  readonly promocodeIds: readonly string[];
  /** How long nothing must have happened to a count before it is called wrong. */
  readonly quietMs: number;
  /** Puts a wrong count right; false when it moved since. Absent: nothing is changed. */
  readonly correct?: ((correction: CountCorrection) => Promise<boolean>) | undefined;
  readonly onStep?: (text: string, done?: number) => void;
}

/** A count, read before and after everything that it counts. */
interface Look {
  readonly promocodeId: string;
  readonly fileId: string | null;
  readonly generation: Generation | undefined;
  readonly before: number | undefined;
  readonly held: number;
  readonly after: number | undefined;
}

/**
 * Compares counts with what they count, beside a running counter.
 *
 * ```
 *   first look            quiet            second look        write, if the count is still the same
 *   held 100, counted 95 ------------- held 100, counted 95 ------------- counted := 100
 * ```
 * Slots are only ever taken, so an equal number held means that none was taken between the looks: everything that is
 * held was held, and its change in the stream, when the quiet began. If the counter is less far behind than that, it
 * has seen these changes, and what the count lacks will never be added. What is taken after the second look is not in
 * the figure that is written, and the counter adds it when it comes.
 */
export const recount = async (asked: Recount): Promise<readonly RecountedCount[]> => {
  const { onStep = () => {}, quietMs } = asked;
  const first = await lookAtAll(asked.promocodeIds, onStep);
  const differing = first.filter((look) => !agrees(look) && !isKept(look));
  const settled = first
    .filter((look) => !differing.includes(look))
    .map((look) => resultOf(look, agrees(look) ? "agrees" : "kept"));
  if (differing.length === 0) return settled;

  onStep(`${differing.length} counts differ: waiting ${quietMs / 1000} seconds to look again`);
  await sleep(quietMs);
  const second = await lookAgain(differing, onStep);
  const results = [...settled];
  for (const [at, look] of second.entries()) results.push(await settle(differing[at]!, look, asked));
  return results;
};

const lookAtAll = async (promocodeIds: readonly string[], onStep: NonNullable<Recount["onStep"]>) => {
  const looks: Look[] = [];
  for (const [at, promocodeId] of promocodeIds.entries())
    for (const generation of await generationsOf(promocodeId)) {
      onStep(`${promocodeId}: reading file ${generation.fileId}`, at / promocodeIds.length);
      looks.push(await lookAtFile(promocodeId, generation));
    }
  return [...looks, ...(await lookAtDefaults(promocodeIds, onStep))];
};

const lookAgain = async (looks: readonly Look[], onStep: NonNullable<Recount["onStep"]>) => {
  const ofDefaults = looks.filter(({ generation }) => generation === undefined);
  const defaults =
    ofDefaults.length === 0
      ? []
      : await lookAtDefaults(
          ofDefaults.map(({ promocodeId }) => promocodeId),
          onStep,
        );
  const again: Look[] = [];
  for (const { promocodeId, generation } of looks) {
    onStep(`${promocodeId}: looking again`, again.length / looks.length);
    again.push(
      generation
        ? await lookAtFile(promocodeId, generation)
        : defaults.find((look) => look.promocodeId === promocodeId)!,
    );
  }
  return again;
};

const lookAtFile = async (promocodeId: string, generation: Generation): Promise<Look> => {
  const { fileId } = generation;
  const before = await storedCount(promocodeId, fileId);
  const held = await heldSlots(promocodeId, generation);
  return { promocodeId, fileId, generation, before, held, after: await storedCount(promocodeId, fileId) };
};

/** One scan for all of them: default records lie with their customers. */
const lookAtDefaults = async (
  promocodeIds: readonly string[],
  onStep: NonNullable<Recount["onStep"]>,
): Promise<readonly Look[]> => {
  const storedOf = async () =>
    new Map(
      await Promise.all(
        promocodeIds.map(async (promocodeId) => [promocodeId, await storedCount(promocodeId, null)] as const),
      ),
    );
  const before = await storedOf();
  let items = 0;
  const recorded = await recordedDefaults((more) => {
    items += more;
    onStep(`default codes: ${items} items of the table read`);
  });
  const after = await storedOf();
  return promocodeIds.map((promocodeId) => ({
    promocodeId,
    fileId: null,
    generation: undefined,
    before: before.get(promocodeId),
    held: recorded.get(promocodeId) ?? 0,
    after: after.get(promocodeId),
  }));
};

/** A count may lag, and what it counts only grows: it was not above before, and has come to it or past it since. */
const agrees = ({ before = 0, held, after = 0 }: Look): boolean => before <= held && held <= after;

/** A default code's record goes when its customer is erased; that it was given stays true. */
const isKept = ({ fileId, before = 0, held }: Look): boolean => fileId === null && before > held;

const isUntouched = (first: Look, second: Look): boolean =>
  first.held === second.held && new Set([first.before, first.after, second.before, second.after]).size === 1;

const settle = async (first: Look, second: Look, { correct }: Recount): Promise<RecountedCount> => {
  if (agrees(second)) return resultOf(second, "agrees");
  if (!isUntouched(first, second)) return resultOf(second, "in-use");
  const { promocodeId, fileId, held, after: counted } = second;
  if (isKept(second)) return resultOf(second, "kept");
  if (!correct) return resultOf(second, "wrong");
  const isCorrected = await correct({ promocodeId, fileId, counted, held });
  return resultOf(second, isCorrected ? "corrected" : "in-use");
};

const resultOf = (
  { promocodeId, fileId, held, after = 0 }: Look,
  state: RecountedCount["state"],
): RecountedCount => ({ promocodeId, fileId, counted: after, held, state });
