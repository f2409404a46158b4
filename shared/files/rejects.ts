import { isUtf8 } from "node:buffer";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { Upload } from "@aws-sdk/lib-storage";
import { environment } from "../environment.ts";
import { csvLines } from "./csv-writer.ts";
import { objectPrefixes } from "./object-prefixes.ts";
import { s3 } from "./s3-client.ts";

/** Problems that stand on the file's record; with more, all of them stand in an object of their own. */
export const problemsOnRecord = 20;

const rowsPerWrite = 500;
const longestValue = 200;

export interface Problem {
  readonly line: number;
  readonly reason: string;
}

/** The object in the exports bucket that lists every refused row of a file. */
export const rejectsKey = (fileId: string): string => `${objectPrefixes.rejects}${fileId}.csv`;

/** Collects the refused rows of one file: the first 20 in memory, all of them in S3 when there are more. */
export class Rejects {
  readonly problems: Problem[] = [];
  readonly #fileId: string;
  #count = 0;
  #rows: string[][] = [["line", "reason", "value"]];
  #object:
    | { readonly body: PassThrough; readonly upload: Upload; readonly done: Promise<unknown> }
    | undefined;

  constructor(fileId: string) {
    this.#fileId = fileId;
  }

  get count(): number {
    return this.#count;
  }

  add(line: number, reason: string, cell: Uint8Array): void {
    this.#count += 1;
    if (this.problems.length < problemsOnRecord) this.problems.push({ line, reason });
    this.#rows.push([String(line), reason, harmlessText(cell)]);
    if (this.#count > problemsOnRecord && this.#rows.length >= rowsPerWrite) this.#write();
  }

  /** Waits until S3 has taken enough of what was added; undefined when there is nothing to wait for. */
  drained(): Promise<unknown> | undefined {
    const object = this.#object;
    if (!object?.body.writableNeedDrain) return undefined;
    return Promise.race([once(object.body, "drain"), object.done]);
  }

  /** Completes the object, if there are more problems than the record holds. */
  async finish(): Promise<void> {
    if (this.#count <= problemsOnRecord) return;
    this.#write();
    this.#object?.body.end();
    await this.#object?.done;
  }

  /** Gives the object up. */
  async abort(): Promise<void> {
    this.#object?.body.destroy();
    await this.#object?.upload.abort();
    await this.#object?.done.catch(() => {});
  }

  #write(): void {
    this.#object ??= this.#open();
    this.#object.body.write(csvLines(this.#rows, { formulaSafe: true }));
    this.#rows = [];
  }

  #open() {
    const body = new PassThrough();
    const upload = new Upload({
      client: s3,
      params: {
        Bucket: environment("exportsBucket"),
        Key: rejectsKey(this.#fileId),
        Body: body,
        ContentType: "text/csv; charset=utf-8",
      },
      queueSize: 1,
    });
    const done = upload.done();
    // It may fail while rows are still read; whoever waits for it next is told.
    done.catch(() => {});
    return { body, upload, done };
  }
}

/** What stood in the row, if a person can read it in one line; else nothing. */
const harmlessText = (cell: Uint8Array): string => {
  if (cell.length === 0 || cell.length > longestValue || !isUtf8(cell)) return "";
  const text = Buffer.from(cell).toString("utf8").trim();
  return /[\p{Cc}\p{Cs}]/u.test(text) ? "" : text;
};
