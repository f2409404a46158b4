import type { UniqueCodes } from "../contract/promocodes.ts";

interface Common {
  readonly promocodeId: string;
  readonly promotionId: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface GlobalPromocode extends Common {
  readonly type: "global";
  readonly code: string;
}

/** With the head of its pool: what allocation needs to find the cells. */
export interface PersonalizedPromocode extends Common {
  readonly type: "personalized";
  readonly uniqueCodes: UniqueCodes;
  /** 16 hex digits; salts every hash of this promocode. */
  readonly salt: string;
  /** Number of the generation whose cells are home cells; set once, at the first allocation. */
  readonly base: number | undefined;
  /** Number of the newest generation, 0 before the first file. */
  readonly lastGeneration: number;
}

/** A promocode as it is stored. */
export type StoredPromocode = GlobalPromocode | PersonalizedPromocode;
