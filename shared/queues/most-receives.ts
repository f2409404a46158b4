/** How often the work of a message is tried at most. */
export const mostTries = 5;

/**
 * How often a message is delivered at most before it goes to the dead letters. The stack gives its queues this. One
 * more than there are tries: a last try that Lambda ended, out of time or of memory, told nobody that it failed.
 */
export const mostReceives = mostTries + 1;
