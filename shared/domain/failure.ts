import type { ProblemCode } from "../contract/problems.ts";

/** An expected failure: its code tells programs, its message tells a human what happened and what to do. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: ProblemCode;
  readonly errors: readonly { readonly pointer: string; readonly message: string }[] | undefined;

  constructor(
    code: ProblemCode,
    message: string,
    errors?: readonly { readonly pointer: string; readonly message: string }[],
  ) {
    super(message);
    this.code = code;
    this.errors = errors;
  }
}
