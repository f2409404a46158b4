import type { AudienceFailureCode } from "../contract/audiences.ts";

/** A whole audience is refused: nobody of it gets a code. The message tells its owner what to do. */
export class AudienceRefused extends Error {
  override readonly name = "AudienceRefused";
  readonly code: AudienceFailureCode;

  constructor(code: AudienceFailureCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const severalCustomerColumns = (columns: string) =>
  new AudienceRefused(
    "ambiguous-columns",
    `The file has several columns and it is not clear which one holds the customer ids (${columns}). Name exactly one of them "customerId" in the first row, or upload that column alone.`,
  );

export const emptyAudience = () =>
  new AudienceRefused(
    "empty-file",
    "The file holds no rows. Upload a CSV file with one customer id in each row.",
  );

export const noValidCustomers = (rejected: number) =>
  new AudienceRefused(
    "no-valid-customers",
    rejected === 0
      ? "The file holds a header and no customers. Upload a file with one customer id in each row."
      : `None of the ${rejected} rows holds a valid customer id: 1 to 128 characters without control characters. The problems say what is wrong with each; correct them and upload the file again.`,
  );

export const tooManyCustomers = (most: number) =>
  new AudienceRefused(
    "too-many-customers",
    `The file holds more than ${most} rows. Split it and upload the parts as audiences of their own; a customer in two of them gets no second code.`,
  );

export const sharedByEveryone = (promocodeId: string) =>
  new AudienceRefused(
    "not-personalized",
    `Promocode ${promocodeId} is global: everyone shares its one code. Use a personalized promocode.`,
  );

export const promocodeGone = (promocodeId: string) =>
  new AudienceRefused("promocode-not-found", `There is no promocode ${promocodeId}. Check the id.`);

/** `why` is what a single call would have been told. */
export const noCodesGivenOut = (why: string) => new AudienceRefused("promotion-not-active", why);

export const jobFailed = () =>
  new AudienceRefused(
    "audience-failed",
    "The job could not be carried out because of a fault of the service, not of the file. Codes that it gave out stay with their customers. Upload the file again: everybody gets the same code; if that fails too, tell whoever operates the service.",
  );
