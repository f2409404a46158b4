import type { FileFailureCode } from "../contract/code-files.ts";

/** A whole code file is refused: nothing of it enters the pool. The message tells its owner what to do. */
export class FileRefused extends Error {
  override readonly name = "FileRefused";
  readonly code: FileFailureCode;

  constructor(code: FileFailureCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const ambiguousColumns = (columns: string) =>
  new FileRefused(
    "ambiguous-columns",
    `The file has several columns and it is not clear which one holds the codes (${columns}). Name exactly one of them "code" in the first row, or upload that column alone.`,
  );

export const archivedPromotion = (promotionId: string) =>
  new FileRefused(
    "archived-promotion",
    `Promotion ${promotionId} is archived and takes no more codes. Attach a new promocode to a promotion that is not archived and upload the file there.`,
  );

export const binaryFile = (line: number) =>
  new FileRefused(
    "binary-file",
    `What begins in line ${line} is not text, so this is no CSV file. Export the codes as CSV in UTF-8 and upload that.`,
  );

export const compressedFile = (format: string) =>
  new FileRefused(
    "compressed-file",
    `The file is compressed (${format}). Unpack it, or save the spreadsheet as CSV, and upload the CSV itself.`,
  );

export const emptyFile = () =>
  new FileRefused("empty-file", "The file holds no rows. Upload a CSV file with one code in each row.");

export const fileTooLarge = (maxBytes: number) =>
  new FileRefused(
    "file-too-large",
    `The file is larger than ${maxBytes} bytes. Split it and upload the parts as files of their own.`,
  );

export const noValidCodes = (rejected: number) =>
  new FileRefused(
    "no-valid-codes",
    rejected === 0
      ? "The file holds a header and no codes. Upload a file with one code in each row."
      : `None of the ${rejected} rows is a valid code: 1 to 128 printable ASCII characters without blanks. The problems say what is wrong with each; correct them and upload the file again.`,
  );

export const notACsvFile = () =>
  new FileRefused(
    "not-a-csv-file",
    "The name does not end with .csv. Save the codes as CSV in UTF-8 and drop a file whose name ends with .csv.",
  );

export const notPersonalized = (promocodeId: string) =>
  new FileRefused(
    "not-personalized",
    `Promocode ${promocodeId} is global: everyone shares its one code. Upload unique codes to a personalized promocode.`,
  );

export const objectGone = () =>
  new FileRefused(
    "object-gone",
    "The file was deleted from the bucket before it was loaded. Upload it again.",
  );

export const rowTooLong = (line: number, maxBytes: number) =>
  new FileRefused(
    "row-too-long",
    `The row that starts on line ${line} is longer than ${maxBytes} bytes. Check that the file is a CSV file with one code in each row, and upload it again.`,
  );

export const tooManyCodes = (most: number) =>
  new FileRefused(
    "too-many-codes",
    `The file holds more than ${most} codes. Split it and upload the parts as files of their own.`,
  );

export const unsupportedEncoding = (encoding: string) =>
  new FileRefused(
    "unsupported-encoding",
    `The file is encoded as ${encoding}. Save it as CSV in UTF-8 and upload it again.`,
  );

export const unterminatedQuote = (line: number) =>
  new FileRefused(
    "unterminated-quote",
    `The quotation mark that opens on line ${line} is never closed. Close it, or double it if it is part of a code ("" inside "…"), and upload the file again.`,
  );

export const loadFailed = () =>
  new FileRefused(
    "load-failed",
    "The file could not be loaded because of a fault of the service, not of the file. Upload it again; if that fails too, tell whoever operates the service.",
  );
