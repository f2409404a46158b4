/** A refusal in SQS's words: the SDK makes the exception of this name out of it. */
export class QueueError extends Error {
  constructor(
    /** Name of the exception, such as `QueueDoesNotExist`. */
    readonly code: string,
    message: string,
    /** Name in the older query protocol, which SDKs report as the error's name. */
    readonly queryCode: string = code,
  ) {
    super(message);
  }
}

export const queueDoesNotExist = (name: string) =>
  new QueueError(
    "QueueDoesNotExist",
    `The specified queue does not exist: ${name}.`,
    "AWS.SimpleQueueService.NonExistentQueue",
  );

export const invalidParameter = (message: string) =>
  new QueueError("InvalidParameterValueException", message);

export const receiptHandleIsInvalid = () =>
  new QueueError("ReceiptHandleIsInvalid", "The receipt handle is not one of a message in flight.");

export const messageTooLong = (maxBytes: number) =>
  invalidParameter(`One or more parameters are invalid. Message must be shorter than ${maxBytes} bytes.`);
