import { parseXml, renderXml } from "./xml.ts";

/** One rule of a CORS configuration. https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html */
export interface CorsRule {
  readonly allowedOrigins: readonly string[];
  readonly allowedMethods: readonly string[];
  readonly allowedHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAgeSeconds?: number;
}

export interface CorsRequest {
  readonly origin: string;
  readonly method: string;
  /** Of a preflight: what the real request is going to send. */
  readonly headers: readonly string[];
}

/** The headers that let a browser see the answer; undefined if no rule allows it. The first rule that fits counts. */
export function corsHeaders(
  rules: readonly CorsRule[],
  request: CorsRequest,
): Record<string, string> | undefined {
  const rule = rules.find(
    ({ allowedOrigins, allowedMethods, allowedHeaders = [] }) =>
      allowedOrigins.some((pattern) => fits(pattern, request.origin)) &&
      allowedMethods.includes(request.method) &&
      request.headers.every((name) => allowedHeaders.some((pattern) => fits(pattern.toLowerCase(), name))),
  );
  if (!rule) return undefined;

  const anyone = rule.allowedOrigins.includes("*");
  return {
    "access-control-allow-origin": anyone ? "*" : request.origin,
    ...(anyone ? {} : { "access-control-allow-credentials": "true" }),
    "access-control-allow-methods": rule.allowedMethods.join(", "),
    ...(request.headers.length > 0 ? { "access-control-allow-headers": request.headers.join(", ") } : {}),
    ...(rule.exposeHeaders?.length ? { "access-control-expose-headers": rule.exposeHeaders.join(", ") } : {}),
    ...(rule.maxAgeSeconds === undefined ? {} : { "access-control-max-age": String(rule.maxAgeSeconds) }),
    vary: "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
  };
}

/** A pattern holds at most one `*`. */
function fits(pattern: string, text: string): boolean {
  const [head = "", tail] = pattern.split("*");
  if (tail === undefined) return pattern === text;
  return text.length >= head.length + tail.length && text.startsWith(head) && text.endsWith(tail);
}

export function corsRulesFromXml(xml: string): CorsRule[] {
  return parseXml(xml, "CORSConfiguration")
    .children("CORSRule")
    .map((rule) => {
      const texts = (name: string) => rule.children(name).map((one) => one.ownText());
      const maxAge = rule.text("MaxAgeSeconds");
      return {
        allowedOrigins: texts("AllowedOrigin"),
        allowedMethods: texts("AllowedMethod"),
        allowedHeaders: texts("AllowedHeader"),
        exposeHeaders: texts("ExposeHeader"),
        ...(maxAge === undefined ? {} : { maxAgeSeconds: Number(maxAge) }),
      };
    });
}

export function corsRulesToXml(rules: readonly CorsRule[]): string {
  return renderXml("CORSConfiguration", {
    CORSRule: rules.map((rule) => ({
      AllowedOrigin: rule.allowedOrigins,
      AllowedMethod: rule.allowedMethods,
      AllowedHeader: rule.allowedHeaders,
      ExposeHeader: rule.exposeHeaders,
      MaxAgeSeconds: rule.maxAgeSeconds,
    })),
  });
}
