import { decodeTime, encodeTime, TIME_LEN, TIME_MAX } from "ulid";

const prefix = "adt_";
const boundLength = prefix.length + TIME_LEN;

/** Sorts before every entry of this moment or later, and behind all earlier ones. */
export const auditBound = (time: Date): string =>
  `${prefix}${encodeTime(Math.min(Math.max(time.getTime(), 0), TIME_MAX), TIME_LEN)}`;

/** The month, such as `2026-11`, whose partition an entry lies in. */
export const auditMonth = (auditId: string): string => monthOf(timeIn(auditId));

/** The month of whatever comes right before an entry, or before a bound. */
export const auditMonthBefore = (idOrBound: string): string =>
  // Right before an entry there may be another one of the same millisecond; before a bound there is none of it.
  monthOf(timeIn(idOrBound) - (idOrBound.length === boundLength ? 1 : 0));

/** Sorts before every entry of the month, `2026-11`. */
export const auditBoundOfMonth = (month: string): string => auditBound(new Date(`${month}-01T00:00:00.000Z`));

const monthOf = (time: number): string => new Date(time).toISOString().slice(0, 7);

/** Epoch milliseconds. A ULID's length is what `decodeTime` takes. */
const timeIn = (idOrBound: string): number => decodeTime(idOrBound.slice(prefix.length).padEnd(26, "0"));
