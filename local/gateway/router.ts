import type { MethodFacts } from "../template/facts.ts";

export interface Match {
  readonly method: MethodFacts;
  /**
   * Still percent-encoded, as REST APIs hand them on, other than HTTP APIs
   * (github.com/serverless/serverless/issues/5037, github.com/middleapi/standard-server/pull/93).
   */
  readonly pathParameters: Readonly<Record<string, string>>;
}

/** Finds the method of the template for a request; `undefined` where API Gateway knows none. */
export type Router = (httpMethod: string, path: string) => Match | undefined;

interface Node {
  readonly fixed: Map<string, Node>;
  parameter?: { readonly name: string; readonly greedy: boolean; readonly node: Node };
  readonly methods: Map<string, MethodFacts>;
}

/**
 * A fixed part goes before a parameter, and a method before `ANY`; a slash at the end makes no difference.
 * Matching throws a URIError for a broken percent-encoding.
 */
export function router(methods: readonly MethodFacts[]): Router {
  const root = emptyNode();
  for (const method of methods) {
    let node = root;
    for (const part of partsOf(method.resourcePath)) node = childFor(node, part);
    node.methods.set(method.httpMethod, method);
  }

  return (httpMethod, path) => {
    const found = walk(root, partsOf(path), {});
    const method = found?.node.methods.get(httpMethod) ?? found?.node.methods.get("ANY");
    if (found === undefined || method === undefined) return undefined;
    return { method, pathParameters: found.parameters };
  };
}

function emptyNode(): Node {
  return { fixed: new Map(), methods: new Map() };
}

function partsOf(path: string): string[] {
  return path.replace(/\/$/, "").split("/").slice(1);
}

function childFor(node: Node, part: string): Node {
  const [, name, plus] = /^\{([^}+]+)(\+?)\}$/.exec(part) ?? [];
  if (name !== undefined) {
    node.parameter ??= { name, greedy: plus === "+", node: emptyNode() };
    return node.parameter.node;
  }
  const known = node.fixed.get(part);
  if (known !== undefined) return known;
  const added = emptyNode();
  node.fixed.set(part, added);
  return added;
}

function walk(
  node: Node,
  parts: readonly string[],
  parameters: Readonly<Record<string, string>>,
): { node: Node; parameters: Readonly<Record<string, string>> } | undefined {
  const [part, ...rest] = parts;
  if (part === undefined) return node.methods.size > 0 ? { node, parameters } : undefined;
  const fixed = node.fixed.get(part);
  const found = fixed && walk(fixed, rest, parameters);
  if (found !== undefined) return found;
  const { parameter } = node;
  if (parameter === undefined || part === "") return undefined;
  if (parameter.greedy)
    return {
      node: parameter.node,
      parameters: { ...parameters, [parameter.name]: wellFormed(parts.join("/")) },
    };
  return walk(parameter.node, rest, { ...parameters, [parameter.name]: wellFormed(part) });
}

function wellFormed(part: string): string {
  decodeURIComponent(part);
  return part;
}
