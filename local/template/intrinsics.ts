/** Answers what `Ref` and `Fn::GetAtt` stand for; `undefined` when the resource is not imitated. */
export interface ResourceLookup {
  ref(logicalId: string): string | undefined;
  attribute(logicalId: string, attribute: string): string | undefined;
}

/** Replaces CloudFormation's intrinsic functions in a value by what they stand for; throws where it cannot. */
export type ResolveIntrinsics = (value: unknown) => unknown;

export interface PseudoParameters {
  readonly region: string;
  readonly accountId: string;
  readonly stackName: string;
}

/** Knows Ref, GetAtt, Join, Sub, Select and Split, which is what the stack uses. */
export function intrinsics(lookup: ResourceLookup, pseudo: PseudoParameters): ResolveIntrinsics {
  const pseudoValues: Readonly<Record<string, string>> = {
    "AWS::Region": pseudo.region,
    "AWS::AccountId": pseudo.accountId,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": pseudo.stackName,
    "AWS::StackId": `arn:aws:cloudformation:${pseudo.region}:${pseudo.accountId}:stack/${pseudo.stackName}/local`,
  };

  const ref = (name: string): string => {
    const value = pseudoValues[name] ?? lookup.ref(name);
    if (value === undefined) throw new Error(`Ref ${name} has no local counterpart`);
    return value;
  };
  const attribute = (logicalId: string, name: string): string => {
    const value = lookup.attribute(logicalId, name);
    if (value === undefined) throw new Error(`Fn::GetAtt ${logicalId}.${name} has no local counterpart`);
    return value;
  };

  const functions: Readonly<Record<string, (argument: unknown) => unknown>> = {
    Ref: (name) => ref(asString(name)),
    "Fn::GetAtt": (argument) => {
      const [logicalId = "", ...rest] =
        typeof argument === "string" ? argument.split(".") : asList(argument).map(asString);
      return attribute(logicalId, rest.join("."));
    },
    "Fn::Join": (argument) => {
      const [separator, parts] = asList(argument);
      return asList(resolve(parts)).map(asString).join(asString(separator));
    },
    "Fn::Split": (argument) => {
      const [separator, text] = asList(argument);
      return asString(resolve(text)).split(asString(separator));
    },
    "Fn::Select": (argument) => {
      const [index, list] = asList(argument);
      const chosen = asList(resolve(list))[Number(index)];
      if (chosen === undefined) throw new Error(`Fn::Select ${String(index)} is outside its list`);
      return chosen;
    },
    "Fn::Sub": (argument) => {
      const [text, given] = typeof argument === "string" ? [argument, {}] : asList(argument);
      const variables = resolve(given ?? {}) as Readonly<Record<string, unknown>>;
      return asString(text).replaceAll(/\$\{([^}]+)\}/g, (_, name: string) => {
        if (name.startsWith("!")) return `\${${name.slice(1)}}`;
        const own = variables[name];
        if (own !== undefined) return asString(own);
        const [logicalId = "", ...rest] = name.split(".");
        return rest.length === 0 ? ref(name) : attribute(logicalId, rest.join("."));
      });
    },
  };

  function resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value);
    const [only] = entries;
    if (only !== undefined && entries.length === 1) {
      const [name, argument] = only;
      const evaluate = functions[name];
      if (evaluate !== undefined) return evaluate(argument);
      if (name.startsWith("Fn::")) throw new Error(`${name} is not imitated`);
    }
    return Object.fromEntries(entries.map(([key, inner]) => [key, resolve(inner)]));
  }
  return resolve;
}

function asString(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new Error(`expected a string, found ${JSON.stringify(value)}`);
}

function asList(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error(`expected a list, found ${JSON.stringify(value)}`);
}
