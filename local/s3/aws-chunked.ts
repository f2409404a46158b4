import { createHash } from "node:crypto";
import { S3Error } from "./errors.ts";
import type { SignatureChain } from "./signature.ts";

const maxLineBytes = 16 * 1024;

/** What an aws-chunked body is checked against, and where its trailers go. */
export interface ChunkedOptions {
  /** Absent where the chunks are not signed. */
  readonly signatures: SignatureChain | undefined;
  /** Whether trailers follow the last chunk. */
  readonly hasTrailer: boolean;
  /** Called once, at the end, with lower-case names. */
  readonly onTrailers: (trailers: ReadonlyMap<string, string>) => void;
}

/**
 * Takes the chunk framing off a body and verifies the signature of each chunk.
 *
 *     400;chunk-signature=…CRLF <1024 bytes> CRLF 0;chunk-signature=…CRLF x-amz-checksum-crc32:…CRLF CRLF
 *
 * The bytes of a chunk are passed on before its signature is known to be right: nobody may act on them before the end.
 */
export async function* decodeAwsChunked(
  source: AsyncIterable<Buffer>,
  { signatures, hasTrailer, onTrailers }: ChunkedOptions,
): AsyncGenerator<Buffer> {
  const bytes = new ByteReader(source);

  for (;;) {
    const { size, signature } = parseChunkHeader(await bytes.line());
    const hash = signatures ? createHash("sha256") : undefined;
    for await (const piece of bytes.take(size)) {
      hash?.update(piece);
      yield piece;
    }
    if (signatures && hash) signatures.verifyChunk(signature, hash.digest("hex"));
    if (size === 0) break;
    if ((await bytes.line()) !== "") throw new S3Error("IncompleteBody");
  }

  onTrailers(hasTrailer ? await readTrailers(bytes, signatures) : new Map());
}

function parseChunkHeader(line: string): { size: number; signature: string } {
  const [, size, signature = ""] =
    /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line) ?? [];
  if (size === undefined) throw new S3Error("IncompleteBody");
  return { size: Number.parseInt(size, 16), signature };
}

async function readTrailers(
  bytes: ByteReader,
  signatures: SignatureChain | undefined,
): Promise<Map<string, string>> {
  const trailers = new Map<string, string>();
  for (let line = await bytes.line(); line !== ""; line = await bytes.line()) {
    const [, name, value] = /^([^:\s]+):\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new S3Error("MalformedTrailerError");
    trailers.set(name.toLowerCase(), value);
  }
  if (signatures) {
    const signature = trailers.get("x-amz-trailer-signature") ?? "";
    trailers.delete("x-amz-trailer-signature");
    const signed = [...trailers].map(([name, value]) => `${name}:${value}\n`).join("");
    signatures.verifyTrailer(signature, signed);
  }
  return trailers;
}

/** Reads lines and counted runs of bytes from a stream of buffers, without copying them. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next line without its CRLF. */
  async line(): Promise<string> {
    let end = this.#rest.indexOf("\r\n");
    while (end === -1) {
      if (this.#rest.length > maxLineBytes) throw new S3Error("IncompleteBody");
      this.#rest = Buffer.concat([this.#rest, await this.#next()]);
      end = this.#rest.indexOf("\r\n");
    }
    const line = this.#rest.toString("latin1", 0, end);
    this.#rest = this.#rest.subarray(end + 2);
    return line;
  }

  async *take(count: number): AsyncGenerator<Buffer> {
    let left = count;
    while (left > 0) {
      if (this.#rest.length === 0) this.#rest = await this.#next();
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async #next(): Promise<Buffer> {
    const { value, done } = await this.#source.next();
    if (done) throw new S3Error("IncompleteBody");
    return value;
  }
}
