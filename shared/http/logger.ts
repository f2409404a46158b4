import { Logger } from "@aws-lambda-powertools/logger";

/** Writes JSON lines to stdout. Nothing that it is given holds a body, a path with its parameters, a key or a customer id. */
export const logger = new Logger({ serviceName: "codewell" });

/**
 * What may be logged of an unexpected error. Not its other properties: a failed condition of DynamoDB carries the
 * whole item, and with it customer ids.
 */
export const loggable = (error: unknown): Record<string, unknown> =>
  error instanceof Error
    ? {
        name: error.name,
        message: error.message,
        stack: error.stack,
        ...(error.cause instanceof Error && { cause: loggable(error.cause) }),
      }
    : { thrown: String(error) };
