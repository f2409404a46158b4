import description from "../../openapi.json" with { type: "json" };
import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";

/** GET /openapi.json: the description that was generated from the routes. */
export const handler = apiHandler(routes.describeApi, () => ok(description));
