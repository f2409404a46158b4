import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

/**
 * The next write of this kind is carried out, but its answer gets lost on the way, as when a connection breaks: the
 * SDK sends the request again by itself. `wasLost` tells whether that has happened.
 */
export const loseNextAnswer = (
  client: DynamoDBDocumentClient,
  commandName: "UpdateItemCommand" | "PutItemCommand",
): { readonly wasLost: () => boolean; stop(): void } => {
  let lost = false;
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      if (lost || context.commandName !== commandName) return result;
      lost = true;
      throw Object.assign(new Error("the connection broke"), { name: "TimeoutError" });
    },
    { step: "deserialize", name: "lost-answer" },
  );
  return { wasLost: () => lost, stop: () => client.middlewareStack.remove("lost-answer") };
};
