/** The `source` of every event that the service puts on its bus. */
export const eventSource = "codewell";
