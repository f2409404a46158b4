import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import { describe, expect, it } from "vitest";
import { signedHeaders } from "../../../shared/storage/signature.ts";

/** What the SDK's own signer needs to hash with. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | Uint8Array) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
  }
  update(chunk: string | Uint8Array): void {
    this.#hash.update(chunk);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

describe("a direct request", () => {
  it.each([
    ["of a user", undefined],
    ["of a function, whose credentials come with a session token", "session/token=="],
  ])("%s is signed as the SDK signs it", async (_, sessionToken) => {
    const endpoint = new URL("https://dynamodb.eu-west-1.amazonaws.com");
    const credentials = {
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: "wJalrXUtnFEMI",
      sessionToken,
    };
    const now = new Date("2026-11-23T09:15:30.120Z");
    const payload = JSON.stringify({ TableName: "codewell", Key: { pk: { S: "ünï" } } });

    const own = signedHeaders({
      endpoint,
      region: "eu-west-1",
      credentials,
      operation: "UpdateItem",
      payload,
      now,
    });

    const signer = new SignatureV4({
      service: "dynamodb",
      region: "eu-west-1",
      credentials: { ...credentials, sessionToken: sessionToken ?? "" },
      sha256: Sha256 as unknown as ConstructorParameters<typeof SignatureV4>[0]["sha256"],
    });
    const signed = await signer.sign(
      {
        method: "POST",
        protocol: "https:",
        hostname: endpoint.hostname,
        path: "/",
        headers: {
          host: endpoint.host,
          "content-type": "application/x-amz-json-1.0",
          "x-amz-target": "DynamoDB_20120810.UpdateItem",
        },
        query: {},
        body: payload,
      },
      // The SDK signs the payload's digest as a header too, which DynamoDB does not ask for.
      { signingDate: now, unsignableHeaders: new Set(["x-amz-content-sha256"]) },
    );
    expect(own.authorization).toBe(signed.headers.authorization);
  });
});
