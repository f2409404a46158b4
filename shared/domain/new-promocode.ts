import { randomBytes, randomInt } from "node:crypto";
import type * as z from "zod";
import type { createPromocodeBody } from "../contract/promocodes.ts";
import type { StoredPromocode } from "./promocode.ts";

/** Without 0, O, 1, I, L and vowels: read aloud without mistakes, and no word by chance. */
const readableAlphabet = "23456789BCDFGHJKMNPQRSTVWXZ";
const generatedCodeLength = 8;

/** A code that customers can type: 8 characters, 27^8 possible ones. */
export const generateCode = (): string =>
  Array.from(
    { length: generatedCodeLength },
    () => readableAlphabet[randomInt(readableAlphabet.length)],
  ).join("");

/** The promocode that a body asks for. `freshUlid` names it unless the caller chose an id. */
export const newPromocode = (
  body: z.output<typeof createPromocodeBody>,
  { freshUlid, now }: { readonly freshUlid: string; readonly now: Date },
): StoredPromocode => {
  const common = {
    promocodeId: body.promocodeId ?? `pcd_${freshUlid}`,
    promotionId: body.promotionId,
    createdAt: now.toISOString(),
    updatedAt: now.toISOString(),
  };
  if (body.code !== undefined) return { ...common, type: "global", code: body.code };
  const { allocationMethod, defaultCode, onExhausted, lowPoolThreshold, lowPoolPercent } =
    body.uniqueCodes ?? {};
  return {
    ...common,
    type: "personalized",
    uniqueCodes: {
      allocationMethod: allocationMethod ?? "Consistent",
      defaultCode: defaultCode ?? generateCode(),
      onExhausted: onExhausted ?? "default",
      ...(lowPoolThreshold !== undefined && { lowPoolThreshold }),
      ...(lowPoolPercent !== undefined && { lowPoolPercent }),
    },
    salt: randomBytes(8).toString("hex"),
    base: undefined,
    lastGeneration: 0,
  };
};
