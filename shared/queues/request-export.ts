import type { StoredPromocode } from "../domain/promocode.ts";
import { createExport } from "../storage/exports.ts";
import { sendMessage } from "./send-message.ts";

export interface ExportWish {
  readonly promocode: StoredPromocode;
  /** Null: all files of the promocode. */
  readonly fileId: string | null;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly formulaSafe: boolean;
}

/**
 * Stores the export and queues it; answers its id, which is the same for the same ULID. The record comes first, so a
 * message always finds its export; asked for again, an export that runs or is finished stays as it is.
 */
export const requestExport = async (
  { promocode, fileId, from, to, formulaSafe }: ExportWish,
  ulid: string,
  now: Date,
): Promise<string> => {
  const exportId = `exp_${ulid}`;
  await createExport({
    exportId,
    level: fileId === null ? "promocode" : "file",
    promocodeId: promocode.promocodeId,
    promotionId: promocode.promotionId,
    fileId,
    from: inUtc(from),
    to: inUtc(to),
    formulaSafe,
    createdAt: now.toISOString(),
  });
  await sendMessage("exports", { exportId });
  return exportId;
};

const inUtc = (moment: string | undefined): string | null =>
  moment === undefined ? null : new Date(moment).toISOString();
