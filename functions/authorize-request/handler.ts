import type { APIGatewayAuthorizerResult, APIGatewayRequestAuthorizerEvent } from "aws-lambda";
import { headerValues } from "../../shared/http/headers.ts";
import { findApiKey } from "../../shared/storage/api-keys.ts";
import { allowedArns, stageOf } from "./policy.ts";

/**
 * Tells the gateway what the key in `X-API-KEY` may do. The word `Unauthorized` makes the gateway answer 401; any
 * other error, such as a table that does not answer, 500
 * (docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html).
 */
export const handler = async (
  event: APIGatewayRequestAuthorizerEvent,
): Promise<APIGatewayAuthorizerResult> => {
  const [presented, ...others] = headerValues(
    { headers: event.headers ?? {}, multiValueHeaders: event.multiValueHeaders ?? {} },
    "x-api-key",
  );
  const key =
    presented !== undefined && others.length === 0 ? await findApiKey(presented, new Date()) : undefined;
  if (!key) throw new Error("Unauthorized");

  return {
    principalId: key.keyId,
    usageIdentifierKey: key.keyId,
    // The gateway hands on text, numbers and booleans only.
    context: { keyId: key.keyId, scopes: key.scopes.join(" ") },
    policyDocument: {
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Allow",
          Action: "execute-api:Invoke",
          Resource: [...allowedArns(stageOf(event.methodArn), key.scopes)],
        },
      ],
    },
  };
};
