import type { BlobReader } from "./blobs.ts";

/** What an operation answers; the server sends it. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An XML document, or bytes whose number is in `content-length`. */
  readonly body?: string | BlobReader | undefined;
}

export function xmlAnswer(xml: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 200, headers: { "content-type": "application/xml", ...headers }, body: xml };
}

export const noContent: Answer = { status: 204 };
