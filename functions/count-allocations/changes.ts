import * as z from "zod";
import { parseCellPartition, tokensInImage } from "../../shared/storage/cells.ts";
import {
  cellPartitionPrefix,
  customerPartitionPrefix,
  defaultGivenPrefix,
  generationPrefix,
  promocodeHead,
  promocodePartitionPrefix,
} from "../../shared/storage/table.ts";

const image = z
  .object({ u: z.object({ L: z.array(z.unknown()).exactOptional() }).exactOptional() })
  .optional();

/** A record of the table's stream, as much of it as is counted. */
export const streamRecordSchema = z.object({
  eventName: z.enum(["INSERT", "MODIFY", "REMOVE"]),
  dynamodb: z.object({
    SequenceNumber: z.string().regex(/^\d+$/),
    Keys: z.object({ pk: z.object({ S: z.string() }), sk: z.object({ S: z.string() }) }),
    NewImage: image,
    OldImage: image,
  }),
});
export type StreamRecord = z.infer<typeof streamRecordSchema>;

/** What a record of the stream changes in a promocode's counts. */
export interface Change {
  readonly promocodeId: string;
  /** Null: a default code was given. */
  readonly generation: number | null;
  readonly sequenceNumber: string;
  /** Never 0. */
  readonly delta: number;
}

/** What the record counts for; undefined when it counts for nothing. */
export const changeOf = ({ eventName, dynamodb }: StreamRecord): Change | undefined => {
  const { Keys, NewImage, OldImage, SequenceNumber: sequenceNumber } = dynamodb;
  const pk = Keys.pk.S;
  const sk = Keys.sk.S;
  if (pk.startsWith(cellPartitionPrefix)) {
    const delta = tokensInImage(NewImage) - tokensInImage(OldImage);
    const cell = parseCellPartition(pk);
    return cell && delta !== 0 ? { ...cell, sequenceNumber, delta } : undefined;
  }
  if (pk.startsWith(customerPartitionPrefix) && sk.startsWith(defaultGivenPrefix) && eventName === "INSERT") {
    const promocodeId = sk.slice(defaultGivenPrefix.length, sk.indexOf("#", defaultGivenPrefix.length));
    return { promocodeId, generation: null, sequenceNumber, delta: 1 };
  }
  return undefined;
};

/** The promocode whose settings or files the record changes, so that its pool may be low now, or no longer. */
export const refittedPromocode = ({ dynamodb }: StreamRecord): string | undefined => {
  const { pk, sk } = dynamodb.Keys;
  if (!pk.S.startsWith(promocodePartitionPrefix)) return undefined;
  const fits = sk.S === promocodeHead || sk.S.startsWith(generationPrefix);
  return fits ? pk.S.slice(promocodePartitionPrefix.length) : undefined;
};
