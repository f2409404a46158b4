import type { Figure } from "../scenario.ts";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const upToThree = new Intl.NumberFormat("en-US", { maximumFractionDigits: 3 });
const upToTwo = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });
const threeDigits = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });

/** As many digits as a reader can use: counts in full, and enough that 1.024 is not read as 1.02. */
export const formatNumber = (value: number): string => {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "no figure" : value > 0 ? "∞" : "-∞";
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 1_000) return whole.format(value);
  if (size < 1) return threeDigits.format(value);
  return size < 10 ? upToThree.format(value) : upToTwo.format(value);
};

export const formatValue = ({ value, unit }: Pick<Figure, "value" | "unit">): string =>
  unit === "" ? formatNumber(value) : `${formatNumber(value)} ${unit}`;

export const formatTarget = (target: NonNullable<Figure["target"]>): string =>
  "atMost" in target ? `≤ ${formatNumber(target.atMost)}` : `≥ ${formatNumber(target.atLeast)}`;

export const formatCell = (cell: string | number | null): string =>
  cell === null ? "–" : typeof cell === "number" ? formatNumber(cell) : cell;

/** "0.4 s", "12 s", "3 min 5 s". */
export const formatSeconds = (seconds: number): string => {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const rounded = Math.round(seconds);
  return rounded < 60 ? `${rounded} s` : `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
};
