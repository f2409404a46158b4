/** What the keys of objects begin with, by kind. The stack's rights, notifications and clean-up rest on them. */
export const objectPrefixes = {
  /** Uploads bucket: files dropped by hand, `promocodes/{promocodeId}/<any name>.csv`. */
  drops: "promocodes/",
  /** Uploads bucket: files sent with a presigned POST. */
  uploads: "uploads/",
  /** Exports bucket: finished exports. */
  exports: "exports/",
  /** Exports bucket: lists of the rows that a code file's load refused. */
  rejects: "rejects/",
} as const;
