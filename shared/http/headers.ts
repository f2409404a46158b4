import type { APIGatewayProxyEvent } from "aws-lambda";

/** All values of a header, whatever its spelling. `name` in lower case. */
export const headerValues = (
  { multiValueHeaders, headers }: Pick<APIGatewayProxyEvent, "headers" | "multiValueHeaders">,
  name: string,
): readonly string[] => {
  for (const [key, values] of Object.entries(multiValueHeaders ?? {}))
    if (key.toLowerCase() === name && values) return values;
  for (const [key, value] of Object.entries(headers ?? {}))
    if (key.toLowerCase() === name && value !== undefined) return [value];
  return [];
};
