import type * as z from "zod";
import { invalidRequest } from "../domain/failures.ts";

export interface InputError {
  readonly pointer: string;
  readonly message: string;
}

/** More than these help nobody and would make a batch's refusal longer than the batch. */
const maxErrors = 50;

/** RFC 6901. */
const escapePointer = (part: PropertyKey): string => String(part).replaceAll("~", "~0").replaceAll("/", "~1");

/** A body's error is found by JSON Pointer, a parameter's by its name. */
const pointerInto = {
  body: (path: readonly PropertyKey[]) => path.map((part) => `/${escapePointer(part)}`).join(""),
};
const nameOf = (path: readonly PropertyKey[]): string => path.map(String).join(".");

const locate = (part: InputPart, path: readonly PropertyKey[]): string =>
  part === "body" ? pointerInto.body(path) : nameOf(path);

export type InputPart = "body" | "path" | "query" | "header";

const unknownMessage: Readonly<Record<InputPart, string>> = {
  body: "is not a known field",
  path: "is not a parameter of this path",
  query: "is not a parameter of this call",
  header: "is not a known header",
};

/** Where and why input does not match: sentences without the input itself. */
export const inputErrors = (part: InputPart, issues: readonly z.core.$ZodIssue[]): readonly InputError[] =>
  issues
    .flatMap((issue): readonly InputError[] => {
      if (issue.code === "unrecognized_keys")
        return issue.keys.map((key) => ({
          pointer: locate(part, [...issue.path, key]),
          message: unknownMessage[part],
        }));
      const pointer = locate(part, issue.path);
      if (issue.code === "invalid_key")
        return [{ pointer, message: `Invalid key: ${issue.issues[0]?.message ?? issue.message}` }];
      return [{ pointer, message: issue.message }];
    })
    .slice(0, maxErrors);

const sentences: Readonly<Record<InputPart, string>> = {
  body: "The body does not match the contract: see errors.",
  path: "The path does not match the contract: see errors.",
  query: "The query parameters do not match the contract: see errors.",
  header: "A header does not match the contract: see errors.",
};

const missingIsRequired: z.core.$ZodErrorMap = (issue) =>
  issue.code === "invalid_type" && issue.input === undefined ? "is required" : undefined;

/** The input, parsed by its schema, or `invalid-request` with every error and its place. */
export const parseInput = <Schema extends z.ZodType>(
  part: InputPart,
  schema: Schema,
  input: unknown,
): z.output<Schema> => {
  const result = schema.safeParse(input, { error: missingIsRequired });
  if (result.success) return result.data;
  throw invalidRequest(sentences[part], inputErrors(part, result.error.issues));
};
