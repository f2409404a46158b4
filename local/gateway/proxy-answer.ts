import * as z from "zod";
import type { GatewayAnswer } from "./gateway-response.ts";
import { Refusal } from "./refusal.ts";

const headerValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const answerSchema = z.object({
  statusCode: z.coerce.number().int().min(100).max(599),
  headers: z.record(z.string(), headerValue).nullish(),
  multiValueHeaders: z.record(z.string(), z.array(headerValue)).nullish(),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().nullish(),
});

/** Headers that API Gateway sets itself and hands on under another name. */
const remapped = new Set([
  "connection",
  "content-length",
  "date",
  "server",
  "transfer-encoding",
  "www-authenticate",
]);

/** Reads what a function answered; what is not a proxy answer becomes a refusal, as API Gateway does it. */
export function proxyAnswer(answer: unknown, toBytes: (contentType: string) => boolean): GatewayAnswer {
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success) throw new Refusal("INTEGRATION_FAILURE", "Internal server error");
  const { statusCode, headers, multiValueHeaders, body, isBase64Encoded } = parsed.data;
  const merged: Record<string, string | readonly string[]> = {};
  for (const [name, value] of [
    ...Object.entries(headers ?? {}),
    ...Object.entries(multiValueHeaders ?? {}),
  ]) {
    const lower = name.toLowerCase();
    merged[remapped.has(lower) ? `x-amzn-remapped-${lower}` : lower] = value;
  }
  merged["content-type"] ??= "application/json";
  const text = body ?? "";
  const decode = isBase64Encoded === true && toBytes(String(merged["content-type"]));
  return { status: statusCode, headers: merged, body: decode ? Buffer.from(text, "base64") : text };
}
