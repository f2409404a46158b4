/** Names of a code column: letters alone, in lower case and in the singular. */
const codeColumnNames = new Set([
  "code",
  "coupon",
  "couponcode",
  "discountcode",
  "giftcode",
  "offercode",
  "promocode",
  "promotionalcode",
  "promotioncode",
  "redemptioncode",
  "rewardcode",
  "uniquecode",
  "uniquecouponcode",
  "uniquepromocode",
  "voucher",
  "vouchercode",
]);

/** Whether a cell of the first row is a known word for a code column: `Coupon_Code`, `# Codes:`. */
export const namesCodeColumn = (cell: string): boolean => {
  const word = cell.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  return codeColumnNames.has(word) || (word.endsWith("s") && codeColumnNames.has(word.slice(0, -1)));
};
