import type { Needs, QueueName } from "../shared/contract/route.ts";

/** A function that no route calls: its folder below `functions/` and its rights, exactly. */
export interface Worker {
  readonly folder: string;
  readonly needs: Needs;
}

/** A worker that takes its work from a queue, one message at a time. */
export interface Job extends Worker {
  readonly queue: QueueName;
  /** Every job tells on the bus when it gives a message up. */
  readonly needs: Needs & { readonly events: true };
  readonly memoryMb: number;
}

/** Work that outlives a request. Adding a job is one entry here, one folder in `functions/`, one part in the stack. */
export const jobs = {
  loadCodeFile: {
    folder: "load-code-file",
    queue: "code-files",
    // A file of 20 million codes is held as bytes and typed arrays: pool.md, "Loading a file".
    memoryMb: 3008,
    needs: {
      table: ["BatchWriteItem", "ConditionCheckItem", "GetItem", "PutItem", "Query", "UpdateItem"],
      // The bucket is versioned, so every event names the version that is read, and GetObject alone is never asked for.
      // Without ListBucket, S3 answers 403 instead of 404 for an object that is gone (API_GetObject, "Permissions").
      uploads: ["GetObjectVersion", "ListBucket"],
      rejects: ["AbortMultipartUpload", "PutObject"],
      queues: ["code-files"],
      events: true,
    },
  },
  allocateAudience: {
    folder: "allocate-audience",
    queue: "audiences",
    // Ten million customers are held as bytes and typed arrays, as a loader's codes are; and the whole of two CPUs.
    memoryMb: 3008,
    needs: {
      table: ["BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem"],
      // Without ListBucket, S3 answers 403 instead of 404 for an object that is gone (API_GetObject, "Permissions").
      audiences: ["GetObjectVersion", "ListBucket"],
      audienceResults: ["AbortMultipartUpload", "GetObject", "ListBucket", "PutObject"],
      rejects: ["AbortMultipartUpload", "PutObject"],
      queues: ["audiences"],
      events: true,
    },
  },
  buildExport: {
    folder: "build-export",
    queue: "exports",
    memoryMb: 1024,
    needs: {
      table: ["BatchGetItem", "GetItem", "Query", "UpdateItem"],
      exports: ["AbortMultipartUpload", "PutObject"],
      events: true,
    },
  },
  runErasure: {
    folder: "run-erasure",
    queue: "erasures",
    memoryMb: 1024,
    needs: {
      table: ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"],
      queues: ["erasures"],
      events: true,
    },
  },
  sealCodeFile: {
    folder: "seal-code-file",
    queue: "withdrawals",
    memoryMb: 1024,
    needs: {
      table: ["BatchGetItem", "GetItem", "Query", "UpdateItem"],
      queues: ["withdrawals"],
      events: true,
    },
  },
} as const satisfies Record<string, Job>;

/** Functions that the gateway and the table's stream call. */
export const workers = {
  authorizeRequest: { folder: "authorize-request", needs: { table: ["GetItem"] } },
  refuseMethod: { folder: "refuse-method", needs: {} },
  countAllocations: {
    folder: "count-allocations",
    needs: { table: ["GetItem", "Query", "UpdateItem"], events: true },
  },
} as const satisfies Record<string, Worker>;
