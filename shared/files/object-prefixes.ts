/** What the keys of objects begin with, by kind. The stack's rights, notifications and clean-up rest on them. */
export const objectPrefixes = {
  /** Uploads bucket: files dropped by hand, `promocodes/{promocodeId}/<any name>.csv`. */
  drops: "promocodes/",
  /** Uploads bucket: files sent with a presigned POST. */
  uploads: "uploads/",
  /** Uploads bucket: audiences dropped by hand, `audiences/{promocodeId}/<any name>.csv`. */
  audienceDrops: "audiences/",
  /** Uploads bucket: audiences sent with a presigned POST. */
  audienceUploads: "audience-uploads/",
  /** Exports bucket: who of an audience got which code. */
  audienceResults: "audiences/",
  /** Exports bucket: finished exports. */
  exports: "exports/",
  /** Exports bucket: lists of the rows that a code file's load refused. */
  rejects: "rejects/",
  /** Exports bucket: among these, the lists of an audience's rejected rows, which name customers: `rejects/aud_…`. */
  audienceRejects: "rejects/aud_",
} as const;
