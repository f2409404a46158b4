import { ResponseType } from "aws-cdk-lib/aws-apigateway";
import { type Problem, type ProblemCode, problemByCode, problemType } from "../shared/contract/problems.ts";

/** What the gateway answers by itself, before or instead of a function. */
export interface GatewayRefusal {
  readonly type: ResponseType;
  readonly code: ProblemCode;
  readonly detail: string;
  /**
   * Whole seconds after which to try again.
   * @default no `Retry-After`
   */
  readonly retryAfterSeconds?: number;
}

const keyNeeded =
  "Send a valid key in the header X-API-KEY. Whoever operates the service makes one: npm run keys -- create.";
const tooMany =
  "This key sends more requests than it may. Wait as long as Retry-After says, then go on slower.";
const ourFault = "The request was not the cause. Try again; if it stays so, tell the operator the instance.";
const malformed = "The request cannot be read as HTTP asks for. Correct it, then send it again.";

/**
 * Every type of docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html: none is
 * left to API Gateway's own words. The two defaults cover what Amazon may add.
 */
export const gatewayRefusals: readonly GatewayRefusal[] = [
  { type: ResponseType.DEFAULT_4XX, code: "invalid-request", detail: malformed },
  { type: ResponseType.BAD_REQUEST_BODY, code: "invalid-request", detail: malformed },
  { type: ResponseType.BAD_REQUEST_PARAMETERS, code: "invalid-request", detail: malformed },
  { type: ResponseType.UNAUTHORIZED, code: "unauthorized", detail: keyNeeded },
  {
    type: ResponseType.ACCESS_DENIED,
    code: "forbidden",
    detail:
      "The key's scopes do not allow this call. Use another key, or have one made with the scope it needs.",
  },
  {
    type: ResponseType.INVALID_API_KEY,
    code: "forbidden",
    detail: "The key is not registered with the gateway. Have it rotated: npm run keys -- rotate.",
  },
  { type: ResponseType.EXPIRED_TOKEN, code: "forbidden", detail: keyNeeded },
  { type: ResponseType.INVALID_SIGNATURE, code: "forbidden", detail: keyNeeded },
  {
    type: ResponseType.WAF_FILTERED,
    code: "forbidden",
    detail: "A firewall rule refused the request. Tell the operator the instance.",
  },
  {
    // What API Gateway calls a missing token is a path or method that it does not know.
    type: ResponseType.MISSING_AUTHENTICATION_TOKEN,
    code: "not-found",
    detail: "There is nothing at this path. GET /openapi.json lists what there is.",
  },
  {
    type: ResponseType.RESOURCE_NOT_FOUND,
    code: "not-found",
    detail: "There is nothing at this path. GET /openapi.json lists what there is.",
  },
  {
    type: ResponseType.REQUEST_TOO_LARGE,
    code: "body-too-large",
    detail: "The body may have 1 MB. Send the work in several requests.",
  },
  {
    type: ResponseType.UNSUPPORTED_MEDIA_TYPE,
    code: "unsupported-media-type",
    detail: "Send the body with Content-Type: application/json.",
  },
  { type: ResponseType.THROTTLED, code: "too-many-requests", detail: tooMany, retryAfterSeconds: 1 },
  { type: ResponseType.QUOTA_EXCEEDED, code: "too-many-requests", detail: tooMany, retryAfterSeconds: 60 },
  { type: ResponseType.DEFAULT_5XX, code: "internal-error", detail: ourFault },
  { type: ResponseType.API_CONFIGURATION_ERROR, code: "internal-error", detail: ourFault },
  { type: ResponseType.AUTHORIZER_CONFIGURATION_ERROR, code: "internal-error", detail: ourFault },
  {
    // The table of keys did not answer: nobody is let in, and it passes by itself.
    type: ResponseType.AUTHORIZER_FAILURE,
    code: "unavailable",
    detail: "The key could not be looked up at this moment. Wait as Retry-After says, then try again.",
    retryAfterSeconds: 1,
  },
  { type: ResponseType.INTEGRATION_FAILURE, code: "bad-gateway", detail: ourFault },
  {
    type: ResponseType.INTEGRATION_TIMEOUT,
    code: "gateway-timeout",
    detail: "The work may still be done. Send the same request again, with the same Idempotency-Key.",
  },
];

/** The refusal's body. `$context.requestId` is API Gateway's variable; quotes make the template valid JSON. */
export const refusalBody = ({ code, detail }: GatewayRefusal): Problem => ({
  type: problemType(code),
  ...problemByCode[code],
  detail,
  instance: "$context.requestId",
  code,
});
