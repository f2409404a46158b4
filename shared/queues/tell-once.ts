import type { EventName } from "../contract/events.ts";
import type { ServiceEvent } from "../domain/service-events.ts";
import { publishEvents } from "../events/publish-events.ts";

/**
 * Tells on the bus what became of something, unless that is what was told last; no event: there is nothing to tell yet.
 * It is noted once the bus has it: a crash in between tells it again under the same id.
 */
export const tellOnce = async (
  event: ServiceEvent | undefined,
  told: EventName | undefined,
  note: (told: EventName) => Promise<void>,
): Promise<void> => {
  if (!event || event.name === told) return;
  await publishEvents([event]);
  await note(event.name);
};
