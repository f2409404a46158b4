/** How often a message is delivered at most before it goes to the dead letters. The stack gives its queues this. */
export const mostReceives = 5;
