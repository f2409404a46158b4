import { Failure } from "./failure.ts";

/*
 * Every expected failure by name. A message is one or two sentences: what is the matter and what to do about it.
 * None holds a customer id, a key or a code that was handed out: messages end up in logs and tickets.
 */

export const malformedJson = (why = "The body is not valid JSON. Send one JSON object in UTF-8."): Failure =>
  new Failure("malformed-json", why);

/** `errors` says where: JSON Pointers into the body, or names of parameters. */
export const invalidRequest = (
  message: string,
  errors?: readonly { readonly pointer: string; readonly message: string }[],
): Failure => new Failure("invalid-request", message, errors);

export const invalidCursor = (): Failure =>
  new Failure(
    "invalid-cursor",
    "The cursor is not one of this list with these filters. Use nextCursor of the answer before as it is, or begin without a cursor.",
  );

export const unauthorized = (): Failure =>
  new Failure("unauthorized", "Send a valid API key in the header X-API-KEY.");

export const forbidden = (scopes: readonly string[]): Failure =>
  new Failure(
    "forbidden",
    `This API key does not allow this call. It takes a key with the scope ${scopes.join(" or ")}.`,
  );

export const promotionNotFound = (promotionId: string): Failure =>
  new Failure(
    "promotion-not-found",
    `There is no promotion ${promotionId}. Check the id; GET /v1/promotions lists them all.`,
  );

export const promocodeNotFound = (promocodeId: string): Failure =>
  new Failure(
    "promocode-not-found",
    `There is no promocode ${promocodeId}. Check the id; GET /v1/promocodes lists them all.`,
  );

export const codeFileNotFound = (fileId: string): Failure =>
  new Failure(
    "code-file-not-found",
    `This promocode has no code file ${fileId}. Check the id; GET /v1/promocodes/{promocodeId}/files lists them.`,
  );

export const codeNotFound = (): Failure =>
  new Failure(
    "code-not-found",
    "No file of this promocode brought that code. Codes are compared exactly, upper and lower case included.",
  );

export const audienceNotFound = (audienceId: string): Failure =>
  new Failure(
    "audience-not-found",
    `There is no audience ${audienceId}, or its 7 days are over. Check the id; GET /v1/promocodes/{promocodeId}/audiences lists them.`,
  );

export const exportNotFound = (exportId: string): Failure =>
  new Failure(
    "export-not-found",
    `There is no export ${exportId}. Check the id, or ask for a new export of the promocode or file.`,
  );

export const erasureNotFound = (erasureId: string): Failure =>
  new Failure(
    "erasure-not-found",
    `There is no erasure ${erasureId}, or its time is over. Check the id; erasing the person once more does no harm.`,
  );

export const pathNotFound = (): Failure =>
  new Failure("not-found", "There is nothing at this path. GET /openapi.json describes every path.");

export const methodNotAllowed = (method: string, allowed: readonly string[]): Failure =>
  new Failure(
    "method-not-allowed",
    `This path does not answer ${method}. It answers ${allowed.join(", ") || "nothing"}.`,
  );

export const idTaken = (id: string): Failure =>
  new Failure(
    "id-taken",
    `The id ${id} is taken. Choose another one, or leave it out to get a generated one.`,
  );

export const codeTaken = (): Failure =>
  new Failure(
    "code-taken",
    "Another promocode has this code; upper and lower case count as the same. Choose another code.",
  );

export const promotionArchived = (promotionId: string): Failure =>
  new Failure(
    "promotion-archived",
    `Promotion ${promotionId} is archived for good and cannot be changed or extended. Duplicate it to go on with a copy.`,
  );

/** `status` is the promotion's, any but `active`. */
export const promotionNotActive = (promotionId: string, status: string): Failure =>
  new Failure(
    "promotion-not-active",
    status === "archived"
      ? `Promotion ${promotionId} is archived for good: it gives out no codes any more.`
      : `Promotion ${promotionId} is ${status === "draft" ? "a draft" : status}. Activate it, then try again.`,
  );

export const poolExhausted = (promocodeId: string): Failure =>
  new Failure(
    "pool-exhausted",
    `Promocode ${promocodeId} has no codes left and is set to refuse. Load another code file, or set onExhausted to "default".`,
  );

export const notPersonalized = (promocodeId: string): Failure =>
  new Failure(
    "not-personalized",
    `Promocode ${promocodeId} is global: it has one shared code, no files and no settings. Use a personalized promocode.`,
  );

export const codeFileLoading = (fileId: string): Failure =>
  new Failure("code-file-loading", `Code file ${fileId} is being loaded. Try again when it is ready.`);

export const requestInProgress = (): Failure =>
  new Failure(
    "request-in-progress",
    "A request with this Idempotency-Key is still being answered. Wait a moment, then send the same request again.",
  );

export const bodyTooLarge = (maxBytes: number): Failure =>
  new Failure(
    "body-too-large",
    `The body is larger than ${maxBytes} bytes. Send less at once; codes come as files.`,
  );

export const unsupportedMediaType = (): Failure =>
  new Failure(
    "unsupported-media-type",
    "Send the body as JSON in UTF-8, with the header Content-Type: application/json.",
  );

export const idempotencyKeyReused = (): Failure =>
  new Failure(
    "idempotency-key-reused",
    "This Idempotency-Key was sent before with another path or body. Use a new key for a new request.",
  );

export const unavailable = (): Failure =>
  new Failure("unavailable", "The service is busy for a moment. Wait as Retry-After says, then try again.");

export const internalError = (): Failure =>
  new Failure(
    "internal-error",
    "Something went wrong on our side. Try again; if it stays, tell the operator of the service the instance.",
  );
