import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { dynamoDb, tableName } from "./client.ts";
import { keys } from "./table.ts";

/** Reads one item, whether there is one or not. Throws when the table has not answered within `withinMs`. */
export const assertTableAnswers = async (withinMs: number): Promise<void> => {
  await dynamoDb.send(new GetCommand({ TableName: tableName(), Key: keys.cursorSecret() }), {
    abortSignal: AbortSignal.timeout(withinMs),
  });
};
