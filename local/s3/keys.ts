/** Percent-encodes as SigV4 asks for: everything but letters, digits, `-`, `.`, `_` and `~`. */
export function encodeForSignature(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, hexEscape);
}

/**
 * Encodes a key as S3 does in events and in lists with `encoding-type=url`: form-style, so a blank is `+`, slashes kept.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
 */
export function formEncodeKey(key: string): string {
  return encodeURIComponent(key)
    .replace(/[!'()~]/g, hexEscape)
    .replaceAll("%2F", "/")
    .replaceAll("%20", "+");
}

function hexEscape(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** Orders keys by their UTF-8 bytes, as S3 lists them; UTF-16 order differs above U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return aboveSurrogates(left) - aboveSurrogates(right);
  }
  return a.length - b.length;
}

function aboveSurrogates(unit: number): number {
  const isSurrogate = unit >= 0xd800 && unit <= 0xdfff;
  return isSurrogate ? unit + 0x10000 : unit;
}

/** Keys in listing order. */
export class SortedKeys {
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  add(key: string): void {
    const at = this.#firstAtOrAfter(key);
    if (this.#keys[at] !== key) this.#keys.splice(at, 0, key);
  }

  delete(key: string): void {
    const at = this.#firstAtOrAfter(key);
    if (this.#keys[at] === key) this.#keys.splice(at, 1);
  }

  /** Walks the keys that are equal to `start` or behind it. */
  *from(start: string): Generator<string> {
    for (let at = this.#firstAtOrAfter(start); at < this.#keys.length; at++) yield this.#keys[at]!;
  }

  #firstAtOrAfter(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#keys[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
