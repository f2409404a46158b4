/**
 * Names of the environment variables that the stack gives its functions. Declared once: infra sets them, functions
 * read them here. A function gets only those that it needs, so each is read, and checked, when it is first used.
 */
export const environmentNames = {
  tableName: "TABLE_NAME",
  uploadsBucket: "UPLOADS_BUCKET",
  exportsBucket: "EXPORTS_BUCKET",
  /** Bus that the service's events are put on. */
  eventBus: "EVENT_BUS_NAME",
  /** Queue of S3 events: audiences to allocate to. */
  audiences: "AUDIENCES_QUEUE_URL",
  /** Queue of S3 events: code files to load. */
  "code-files": "CODE_FILES_QUEUE_URL",
  /** Queue of persons to erase. */
  erasures: "ERASURES_QUEUE_URL",
  /** Seconds after which every call has ended that was under way. */
  callsEndWithinSeconds: "CALLS_END_WITHIN_SECONDS",
  /** Queue of exports to build. */
  exports: "EXPORTS_QUEUE_URL",
  /** Queue of code files to withdraw. */
  withdrawals: "WITHDRAWALS_QUEUE_URL",
} as const;

export type EnvironmentName = keyof typeof environmentNames;

/** The variable's value. Throws when the stack did not set it: a mistake in `infra/`. */
export const environment = (name: EnvironmentName): string => {
  const value = process.env[environmentNames[name]];
  if (!value)
    throw new Error(`${environmentNames[name]} is not set: the stack must give it to this function`);
  return value;
};
