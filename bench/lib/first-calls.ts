import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

/** When a kind of call was made first, by `performance.now()`: where one phase of the code ends and the next begins. */
export const firstCalls = ({
  middlewareStack,
}: Pick<DynamoDBDocumentClient, "middlewareStack">): { at(commandName: string): number } => {
  const firsts = new Map<string, number>();
  middlewareStack.add(
    (next, { commandName = "" }) =>
      (args) => {
        if (!firsts.has(commandName)) firsts.set(commandName, performance.now());
        return next(args);
      },
    { step: "build", name: "first-calls" },
  );
  return {
    at: (commandName) => {
      const first = firsts.get(commandName);
      if (first === undefined) throw new Error(`There was no ${commandName}.`);
      return first;
    },
  };
};
