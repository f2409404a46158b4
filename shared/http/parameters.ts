import type { APIGatewayProxyEvent } from "aws-lambda";
import { idempotencyKeySchema } from "../contract/conventions.ts";
import { invalidRequest } from "../domain/failures.ts";
import { headerValues } from "./headers.ts";

/**
 * The path's parameters, decoded once: a REST API hands them to a function as they stand in the path, percent-encoded
 * (github.com/serverless/serverless/issues/5037).
 */
export const pathParameters = ({ pathParameters }: APIGatewayProxyEvent): Record<string, string> =>
  Object.fromEntries(
    Object.entries(pathParameters ?? {}).map(([name, value]) => [name, decodePart(name, value ?? "")]),
  );

const decodePart = (name: string, value: string): string => {
  try {
    return decodeURIComponent(value);
  } catch {
    throw invalidRequest("The path is not percent-encoded UTF-8.", [
      { pointer: name, message: "must be percent-encoded UTF-8" },
    ]);
  }
};

/** The query's parameters, which the gateway has decoded. None has more than one value in this API. */
export const queryParameters = ({
  multiValueQueryStringParameters,
}: APIGatewayProxyEvent): Record<string, string> => {
  const all = Object.entries(multiValueQueryStringParameters ?? {});
  const repeated = all.filter(([, values]) => (values?.length ?? 0) > 1);
  if (repeated.length > 0)
    throw invalidRequest(
      "A query parameter was given more than once.",
      repeated.map(([name]) => ({ pointer: name, message: "must be given once" })),
    );
  return Object.fromEntries(all.map(([name, values]) => [name, values?.[0] ?? ""]));
};

/** The `Idempotency-Key`, or undefined when there is none. Two different ones are a mistake of the caller. */
export const idempotencyKeyOf = (event: APIGatewayProxyEvent): string | undefined => {
  const [key, ...others] = headerValues(event, "idempotency-key");
  if (key === undefined) return undefined;
  if (others.some((other) => other !== key))
    throw invalidRequest("The request has more than one Idempotency-Key.", [
      { pointer: "Idempotency-Key", message: "must be given once" },
    ]);
  const parsed = idempotencyKeySchema.safeParse(key);
  if (parsed.success) return parsed.data;
  const message = parsed.error.issues[0]?.message ?? "is not valid";
  throw invalidRequest("The Idempotency-Key is not valid.", [{ pointer: "Idempotency-Key", message }]);
};
