import { hostname, userInfo } from "node:os";
import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";
import * as z from "zod";
import { dynamoDb } from "../shared/storage/client.ts";

const identitySchema = z.object({
  GetCallerIdentityResponse: z.object({
    GetCallerIdentityResult: z.object({ Arn: z.string().min(1) }),
  }),
});

const body = "Action=GetCallerIdentity&Version=2011-06-15";
const answersWithinMs = 10_000;

/**
 * Who runs a command, for the audit trail: on a deployed service the AWS identity that signs for it, and whoever is
 * logged in on this machine. `region` is the deployed service's; undefined for one on this machine.
 */
export const operatorOf = async (region: string | undefined): Promise<string> => {
  const person = `${localUser()}@${hostname()}`;
  if (region === undefined) return person;
  // Revoking a key must not wait for a service that only tells a name. CloudTrail knows it in any case.
  const arn = await callerArn(region).catch(() => "AWS identity not known");
  return `${arn} (${person})`;
};

const localUser = (): string => {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that no user has.
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
};

/**
 * The ARN behind the credentials that the table is called with. Needs no right
 * (docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html). One request does not make a client of its
 * own worth while.
 */
const callerArn = async (region: string): Promise<string> => {
  const endpoint = new URL(process.env.AWS_ENDPOINT_URL_STS ?? `https://sts.${region}.amazonaws.com/`);
  const signer = new SignatureV4({
    service: "sts",
    region,
    credentials: dynamoDb.config.credentials,
    sha256: Sha256,
  });
  const { headers } = await signer.sign({
    method: "POST",
    protocol: endpoint.protocol,
    hostname: endpoint.hostname,
    path: endpoint.pathname,
    headers: {
      host: endpoint.host,
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    },
    body,
  });
  const response = await fetch(endpoint, {
    method: "POST",
    headers,
    body,
    signal: AbortSignal.timeout(answersWithinMs),
  });
  if (!response.ok) throw new Error(`AWS STS answered ${response.status}`);
  return identitySchema.parse(await response.json()).GetCallerIdentityResponse.GetCallerIdentityResult.Arn;
};
