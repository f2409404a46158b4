import { exportFailed, exportReady, type ServiceEvent } from "../../shared/domain/service-events.ts";
import { tellOnce } from "../../shared/queues/tell-once.ts";
import { findExport, markExportTold, type StoredExport } from "../../shared/storage/exports.ts";

/** Tells on the bus that the export is ready, or that it failed; nothing of what was told before. */
export const tellOutcome = async (exportId: string): Promise<void> => {
  const found = await findExport(exportId);
  if (found) await tellOnce(outcomeOf(found), found.told, (name) => markExportTold(found, name));
};

const outcomeOf = (found: StoredExport): ServiceEvent | undefined => {
  const { exportId, level, promocodeId, promotionId, fileId, completedAt, sha256, rows, bytes } = found;
  if (completedAt === null) return undefined;
  const common = { occurredAt: completedAt, exportId, level, promocodeId, promotionId, fileId };
  if (found.status === "failed") return exportFailed(common);
  return exportReady({ ...common, rows, bytes, sha256: sha256 ?? "" });
};
