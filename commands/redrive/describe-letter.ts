import * as z from "zod";
import { parseAudienceKey } from "../../shared/files/audience-objects.ts";
import { parseUploadsKey } from "../../shared/files/buckets.ts";
import { objectsCreatedSchema } from "../../shared/queues/object-created.ts";
import { audiences } from "../../shared/storage/audiences.ts";
import { codeFiles, type StoredCodeFile } from "../../shared/storage/code-files.ts";
import { getExport } from "../../shared/storage/exports.ts";

/** What a dead letter is about, and what the record of it says now. */
export interface DescribedLetter {
  readonly about: string;
  readonly state: string;
}

const ofFile = z.object({ promocodeId: z.string(), fileId: z.string() });
const ofExport = z.object({ exportId: z.string() });
const ofAudience = z.object({ audienceId: z.string() });
const ofErasure = z.object({ erasureId: z.string() });
const ofStreamBatch = z.object({
  DDBStreamBatchInfo: z.object({ shardId: z.string(), batchSize: z.number() }),
});

/** Reads a letter's body as those read it that it was for. Never names what is in a body that it does not know. */
export const describeLetter = async (body: string, now: Date): Promise<DescribedLetter> => {
  const message = jsonOf(body);
  const file = ofFile.safeParse(message);
  if (file.success) return describeFile(file.data);
  const exported = ofExport.safeParse(message);
  if (exported.success) return describeExport(exported.data.exportId, now);
  const audience = ofAudience.safeParse(message);
  if (audience.success) return describeAudience(audience.data.audienceId, now);
  const erasure = ofErasure.safeParse(message);
  if (erasure.success)
    return { about: `erasure ${erasure.data.erasureId}`, state: "as GET /v1/erasures says" };
  const created = objectsCreatedSchema.safeParse(message);
  if (created.success) return describeObjects(created.data.Records, now);
  const batch = ofStreamBatch.safeParse(message);
  if (batch.success) {
    const { shardId, batchSize } = batch.data.DDBStreamBatchInfo;
    return { about: `${batchSize} changes of stream shard ${shardId}`, state: "not counted" };
  }
  const fields = typeof message === "object" && message !== null ? Object.keys(message) : [];
  return { about: `a message with ${fields.join(", ") || "no fields"}`, state: "unknown" };
};

const jsonOf = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};

const stateOf = (file: StoredCodeFile | undefined): string => {
  if (!file) return "no record";
  return file.failureCode === null ? file.status : `${file.status}, ${file.failureCode}`;
};

const describeFile = async (key: z.infer<typeof ofFile>): Promise<DescribedLetter> => ({
  about: `file ${key.fileId} of ${key.promocodeId}`,
  state: stateOf(await codeFiles.find(key)),
});

const describeExport = async (exportId: string, now: Date): Promise<DescribedLetter> => {
  const found = await orUndefined(getExport(exportId, now));
  return { about: `export ${exportId}`, state: found?.status ?? "no record: its 7 days are over" };
};

const describeAudience = async (audienceId: string, now: Date): Promise<DescribedLetter> => {
  const found = await audiences.find(audienceId, now);
  return { about: `audience ${audienceId}`, state: found?.status ?? "no record: its 7 days are over" };
};

type Objects = z.infer<typeof objectsCreatedSchema>["Records"];

const describeObjects = async (records: Objects, now: Date): Promise<DescribedLetter> => {
  const [first, ...others] = records;
  if (!first) return { about: "an event without objects", state: "unknown" };
  const { key, versionId = null } = first.s3.object;
  const more = others.length > 0 ? ` and ${others.length} more` : "";
  const ofCodes = parseUploadsKey(key);
  if (ofCodes.kind === "upload" || ofCodes.kind === "drop") {
    const files = await codeFiles.all(ofCodes.promocodeId);
    const file = files.find((each) => each.objectKey === key && each.versionId === versionId);
    return { about: `object ${key}${more}`, state: stateOf(file) };
  }
  const ofCustomers = parseAudienceKey(key);
  if (ofCustomers.kind === "upload") return describeAudience(ofCustomers.audienceId, now);
  return { about: `object ${key}${more}`, state: "no record" };
};

const orUndefined = async <Found>(found: Promise<Found>): Promise<Found | undefined> => {
  try {
    return await found;
  } catch {
    return undefined;
  }
};
