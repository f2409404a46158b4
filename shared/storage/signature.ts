import { createHash, createHmac } from "node:crypto";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface ToSign {
  readonly endpoint: URL;
  readonly region: string;
  readonly credentials: Credentials;
  readonly operation: string;
  readonly payload: string;
  readonly now: Date;
}

/**
 * The headers of a request to DynamoDB, its Signature Version 4 among them:
 * docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
 */
export const signedHeaders = ({ endpoint, region, credentials, operation, payload, now }: ToSign) => {
  const time = `${now.toISOString().replace(/[-:]|\.\d{3}/g, "")}`;
  const day = time.slice(0, 8);
  const scope = `${day}/${region}/dynamodb/aws4_request`;
  const signed: Readonly<Record<string, string>> = {
    "content-type": "application/x-amz-json-1.0",
    host: endpoint.host,
    "x-amz-date": time,
    ...(credentials.sessionToken !== undefined && { "x-amz-security-token": credentials.sessionToken }),
    "x-amz-target": `DynamoDB_20120810.${operation}`,
  };
  const names = Object.keys(signed).join(";");
  const canonical = [
    "POST",
    "/",
    "",
    ...Object.entries(signed).map(([name, value]) => `${name}:${value}`),
    "",
    names,
    sha256(payload),
  ].join("\n");
  const key = signingKey(credentials, region, day);
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`).toString("hex");
  return {
    ...signed,
    authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
};

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

let lastKey: { readonly of: string; readonly key: Buffer } | undefined;

/** Good for a day, so it is made once. */
const signingKey = ({ secretAccessKey }: Credentials, region: string, day: string): Buffer => {
  const of = `${secretAccessKey}/${day}/${region}`;
  if (lastKey?.of !== of) {
    const ofRegion = hmac(hmac(`AWS4${secretAccessKey}`, day), region);
    lastKey = { of, key: hmac(hmac(ofRegion, "dynamodb"), "aws4_request") };
  }
  return lastKey.key;
};
