import { loggable, logger } from "../http/logger.ts";

/**
 * Does the work, and then tells on the bus what became of it, also when it failed. What the bus does not take fails
 * the message, not the work: it comes again, there is nothing left to do but to tell.
 */
export const thenTell = async (work: Promise<unknown>, tell: () => Promise<void>): Promise<void> => {
  try {
    await work;
  } catch (error) {
    await tell().catch((untold: unknown) =>
      logger.error("What became of a message is not told", { error: loggable(untold) }),
    );
    throw error;
  }
  await tell();
};
