import type { APIGatewayProxyEvent } from "aws-lambda";
import { maxBodyBytes } from "../contract/conventions.ts";
import { bodyTooLarge, invalidRequest, malformedJson, unsupportedMediaType } from "../domain/failures.ts";
import { headerValues } from "./headers.ts";

/** Drops a byte order mark, as RFC 8259, section 8.1 lets a reader do. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The body as JSON, or undefined when there is none. Refuses other types, other charsets, more than 1 MB. */
export const jsonBody = (event: APIGatewayProxyEvent): unknown => {
  if (!event.body) return undefined;
  if (!isJson(headerValues(event, "content-type"))) throw unsupportedMediaType();
  const bytes = Buffer.from(event.body, event.isBase64Encoded ? "base64" : "utf8");
  if (bytes.length > maxBodyBytes) throw bodyTooLarge(maxBodyBytes);
  const text = decode(bytes);
  // What the gateway puts where bytes are no UTF-8. Two customers with different broken ids would become one.
  if (text.includes("\ufffd")) throw notUtf8();
  return parseJson(text);
};

/** Of several types each must be JSON: which one is meant would be a guess. */
const isJson = (contentTypes: readonly string[]): boolean =>
  contentTypes.length > 0 && contentTypes.every(isJsonType);

const isJsonType = (contentType: string): boolean => {
  const [type = "", ...parameters] = contentType.split(";").map((part) => part.trim());
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter));
  return (
    /^application\/([\w!#$&^.-]+\+)?json$/i.test(type) &&
    (charset === undefined || /^charset="?utf-?8"?$/i.test(charset))
  );
};

const decode = (bytes: Uint8Array): string => {
  try {
    return utf8.decode(bytes);
  } catch {
    throw notUtf8();
  }
};

const notUtf8 = () => malformedJson("The body is not valid UTF-8. Send one JSON object in UTF-8.");

const parseJson = (text: string): unknown => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformedJson();
  }
  if (mayHoldPrototype.test(text)) refusePrototypes(value);
  return value;
};

/** Written plainly or with escapes. */
const mayHoldPrototype = /__proto__|\\u/;

/** zod leaves `__proto__` out of records without a word; nothing is dropped silently here. Without recursion: bodies can be deep. */
const refusePrototypes = (root: unknown): void => {
  const rest: unknown[] = [root];
  while (rest.length > 0) {
    const value = rest.pop();
    if (typeof value !== "object" || value === null) continue;
    if (Object.hasOwn(value, "__proto__"))
      throw invalidRequest('No field of the body may be called "__proto__". Choose another name.');
    for (const inner of Object.values(value)) rest.push(inner);
  }
};
