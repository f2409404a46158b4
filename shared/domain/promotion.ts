import type { Promotion } from "../contract/promotions.ts";
import { promotionArchived, promotionNotActive } from "./failures.ts";

export type PromotionStatus = Promotion["status"];

/** Statuses that a call can bring a promotion to; a draft is only ever created. */
export type TargetStatus = Exclude<PromotionStatus, "draft">;

/** `draft` -> `active` <-> `deactivated` -> `archived`, and nothing leads out of `archived`. */
export const sourcesByTarget: Readonly<Record<TargetStatus, readonly PromotionStatus[]>> = {
  active: ["draft", "deactivated"],
  deactivated: ["draft", "active"],
  archived: ["draft", "active", "deactivated"],
};

/** What a call that asks for `target` does to a promotion of this status. */
export const transitionVerdict = (
  status: PromotionStatus,
  target: TargetStatus,
): "change" | "same" | "refused" => {
  if (status === target) return "same";
  return sourcesByTarget[target].includes(status) ? "change" : "refused";
};

/** Refuses a promotion that gives out no codes. */
export const assertActive = ({ promotionId, status }: Pick<Promotion, "promotionId" | "status">): void => {
  if (status !== "active") throw promotionNotActive(promotionId, status);
};

/** Refuses a promotion that takes no more changes, promocodes or files. */
export const assertNotArchived = ({
  promotionId,
  status,
}: Pick<Promotion, "promotionId" | "status">): void => {
  if (status === "archived") throw promotionArchived(promotionId);
};
