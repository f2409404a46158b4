import { exportFailed, exportReady, type ServiceEvent } from "../../shared/domain/service-events.ts";
import { publishEvents } from "../../shared/events/publish-events.ts";
import { findExport, markExportTold, type StoredExport } from "../../shared/storage/exports.ts";

/** Tells on the bus that the export is ready, or that it failed; nothing of what was told before. */
export const tellOutcome = async (exportId: string): Promise<void> => {
  const found = await findExport(exportId);
  const event = found && outcomeOf(found);
  if (!event || event.name === found.told) return;
  await publishEvents([event]);
  await markExportTold(found, event.name);
};

const outcomeOf = (found: StoredExport): ServiceEvent | undefined => {
  const { exportId, level, promocodeId, promotionId, fileId, completedAt, sha256, rows, bytes } = found;
  if (completedAt === null) return undefined;
  const common = { occurredAt: completedAt, exportId, level, promocodeId, promotionId, fileId };
  if (found.status === "failed") return exportFailed(common);
  return exportReady({ ...common, rows, bytes, sha256: sha256 ?? "" });
};
