/** What Lambda reports when a function did not answer: thrown, timed out, crashed, or said too much. */
export class FunctionError extends Error {
  constructor(
    /** Such as `Error`, `Sandbox.Timedout`, `Runtime.ExitError`. */
    readonly errorType: string,
    message: string,
  ) {
    super(message);
  }
}
