import type { TransactWriteCommandInput } from "@aws-sdk/lib-dynamodb";
import type { Generation } from "../pool/generation.ts";
import { tableName } from "./client.ts";
import {
  assignmentsOf,
  codeFiles,
  type FileContent,
  type LoadRun,
  type StoredCodeFile,
  thisRunLoadsIt,
} from "./code-files.ts";
import { generationItem } from "./generations.ts";
import { lockIsStillHeld } from "./load-locks.ts";
import { keys } from "./table.ts";
import { transactWrite } from "./transact-write.ts";

type TransactItem = NonNullable<TransactWriteCommandInput["TransactItems"]>[number];

/** What a run has to show: the generation whose cells it wrote, or null when the file brought nothing new. */
export interface Publication {
  readonly run: LoadRun;
  readonly content: FileContent;
  readonly generation: Omit<Generation, "fileId" | "status" | "codes"> | null;
  readonly now: Date;
}

/**
 * All codes of the file enter the pool at once, or none: on condition that the run still holds the lock, that no other
 * file was published since it compared its codes with the pool, and that the file is still its own. False when one of
 * these does not hold: the run has lost, and what it wrote is never read.
 */
export const publishGeneration = async ({ run, content, generation, now }: Publication): Promise<boolean> => {
  const { promocodeId, fileId, attempt } = run;
  const ready = {
    ...content,
    status: "ready",
    generation: generation?.number ?? null,
    loadedAt: now.toISOString(),
  };
  const { assignments, names, values } = assignmentsOf(ready);
  const refusals = await transactWrite([
    lockIsStillHeld(promocodeId, attempt),
    ...(generation
      ? putGeneration(promocodeId, { ...generation, fileId, codes: content.codes, status: "published" })
      : []),
    {
      Update: {
        TableName: tableName(),
        Key: keys.codeFile(promocodeId, fileId),
        UpdateExpression: `SET ${assignments}`,
        ConditionExpression: thisRunLoadsIt,
        ExpressionAttributeNames: { "#status": "status", ...names },
        ExpressionAttributeValues: { ...values, ":loading": "loading", ":attempt": attempt },
      },
    },
  ]);
  return refusals === undefined || (await wasPublishedBy(run));
};

const putGeneration = (promocodeId: string, generation: Generation): readonly TransactItem[] => [
  {
    Put: {
      TableName: tableName(),
      Item: generationItem(promocodeId, generation),
      ConditionExpression: "attribute_not_exists(pk)",
    },
  },
  {
    Update: {
      TableName: tableName(),
      Key: keys.promocode(promocodeId),
      UpdateExpression: "SET lastGeneration = :number",
      ConditionExpression: "lastGeneration = :previous",
      ExpressionAttributeValues: { ":number": generation.number, ":previous": generation.number - 1 },
    },
  },
];

/** The answer to a transaction can get lost, and its repetition is refused then by what it wrote itself. */
const wasPublishedBy = async (run: LoadRun): Promise<boolean> => {
  const file = await codeFiles.find(run);
  return file !== undefined && file.attempt === run.attempt && file.loadedAt !== null;
};

/** The file's codes are given out no more; sealing its cells follows. False when the file is not `ready` any more. */
export const startWithdrawal = async ({
  promocodeId,
  fileId,
  generation,
}: StoredCodeFile): Promise<boolean> => {
  const changeStatus = (key: ReturnType<typeof keys.codeFile>, from: string, to: string): TransactItem => ({
    Update: {
      TableName: tableName(),
      Key: key,
      UpdateExpression: "SET #status = :to",
      ConditionExpression: "#status = :from",
      ExpressionAttributeNames: { "#status": "status" },
      ExpressionAttributeValues: { ":from": from, ":to": to },
    },
  });
  const file = keys.codeFile(promocodeId, fileId);
  const refusals = await transactWrite(
    generation === null
      ? [changeStatus(file, "ready", "withdrawn")]
      : [
          changeStatus(file, "ready", "withdrawing"),
          changeStatus(keys.generation(promocodeId, generation), "published", "withdrawn"),
        ],
  );
  return refusals === undefined;
};
