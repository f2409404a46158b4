import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { Crc32c } from "@aws-crypto/crc32c";
import { S3Error } from "./errors.ts";

/** The additional checksums of S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html */
export const checksumAlgorithms = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const;
export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number];

/** Whether a multipart checksum covers the bytes of the object or the checksums of its parts. */
export type ChecksumType = "FULL_OBJECT" | "COMPOSITE";

/** A checksum as stored and shown: Base64, with `-N` behind it when it is made of N part checksums. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly value: string;
  readonly type: ChecksumType;
}

/** A checksum in the making. */
export interface RunningChecksum {
  update(chunk: Uint8Array): void;
  digest(): Buffer;
}

export function startChecksum(algorithm: ChecksumAlgorithm): RunningChecksum {
  switch (algorithm) {
    case "CRC32":
      return runningCrc32();
    case "CRC32C":
      return runningCrc32c();
    case "CRC64NVME":
      return runningCrc64Nvme();
    case "SHA1":
    case "SHA256":
      return createHash(algorithm.toLowerCase());
  }
}

/** The algorithm of that name, in any case, as in `x-amz-checksum-algorithm` and `x-amz-checksum-crc32`. */
export function checksumAlgorithmNamed(name: string): ChecksumAlgorithm {
  const found = checksumAlgorithms.find((algorithm) => algorithm === name.toUpperCase());
  if (!found) throw new S3Error("InvalidRequest", "Checksum algorithm provided is unsupported.");
  return found;
}

/** `x-amz-checksum-crc32` and so on. */
export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/** The checksum of the part checksums, `-N` behind it. */
export function compositeChecksum(algorithm: ChecksumAlgorithm, parts: readonly string[]): string {
  const running = startChecksum(algorithm);
  for (const part of parts) running.update(Buffer.from(part, "base64"));
  return `${running.digest().toString("base64")}-${parts.length}`;
}

/** The polynomials, reflected; the CRC of a whole follows from the CRCs of its parts and their lengths. */
const polynomials = {
  CRC32: { bits: 32n, reflected: 0xedb88320n },
  CRC32C: { bits: 32n, reflected: 0x82f63b78n },
  CRC64NVME: { bits: 64n, reflected: 0x9a6c9329ac4bc9b5n },
} as const;

export type CrcAlgorithm = keyof typeof polynomials;

export function isCrc(algorithm: ChecksumAlgorithm): algorithm is CrcAlgorithm {
  return Object.hasOwn(polynomials, algorithm);
}

/** The CRC of the bytes of all parts in a row, without reading them again. */
export function fullObjectCrc(
  algorithm: CrcAlgorithm,
  parts: readonly { readonly value: string; readonly size: number }[],
): string {
  const { bits } = polynomials[algorithm];
  const whole = parts.reduce((crc, part) => {
    const value = BigInt(`0x${Buffer.from(part.value, "base64").toString("hex") || "0"}`);
    return shiftCrc(algorithm, crc, part.size) ^ value;
  }, 0n);
  return Buffer.from(whole.toString(16).padStart(Number(bits) / 4, "0"), "hex").toString("base64");
}

/** crc · x^(8·bytes) modulo the polynomial, by squaring. The highest bit is x^0, as the CRCs are reflected. */
function shiftCrc(algorithm: CrcAlgorithm, crc: bigint, bytes: number): bigint {
  const { bits, reflected } = polynomials[algorithm];
  const one = 1n << (bits - 1n);
  const times = (a: bigint, b: bigint): bigint => {
    let product = 0n;
    let shifted = b;
    for (let bit = one; bit > 0n; bit >>= 1n) {
      if (a & bit) product ^= shifted;
      shifted = shifted & 1n ? (shifted >> 1n) ^ reflected : shifted >> 1n;
    }
    return product;
  };

  let shift = one;
  let square = one >> 8n;
  for (let left = bytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) shift = times(shift, square);
    square = times(square, square);
  }
  return times(crc, shift);
}

function runningCrc32(): RunningChecksum {
  let crc = 0;
  return {
    update: (chunk) => {
      crc = crc32(chunk, crc);
    },
    digest: () => bigEndian(crc),
  };
}

function runningCrc32c(): RunningChecksum {
  const running = new Crc32c();
  return {
    update: (chunk) => {
      running.update(chunk);
    },
    digest: () => bigEndian(running.digest()),
  };
}

function bigEndian(crc: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc >>> 0);
  return bytes;
}

// Two halves of 32 bits, since BigInt arithmetic per byte would be a hundred times slower.
const crc64Table = (() => {
  const high = new Uint32Array(256);
  const low = new Uint32Array(256);
  for (let index = 0; index < 256; index++) {
    let crc = BigInt(index);
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1n ? (crc >> 1n) ^ polynomials.CRC64NVME.reflected : crc >> 1n;
    }
    high[index] = Number(crc >> 32n);
    low[index] = Number(crc & 0xffffffffn);
  }
  return { high, low };
})();

function runningCrc64Nvme(): RunningChecksum {
  let high = 0xffffffff;
  let low = 0xffffffff;
  return {
    update: (chunk) => {
      for (let at = 0; at < chunk.length; at++) {
        const index = (low ^ chunk[at]!) & 0xff;
        low = ((low >>> 8) | (high << 24)) ^ crc64Table.low[index]!;
        high = (high >>> 8) ^ crc64Table.high[index]!;
      }
    },
    digest: () => Buffer.concat([bigEndian(~high), bigEndian(~low)]),
  };
}

export function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
