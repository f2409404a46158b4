import { maxCustomersPerAudience } from "../../shared/contract/audiences.ts";
import { maxFileBytes } from "../../shared/contract/conventions.ts";
import { tooManyCustomers } from "../../shared/domain/audience-refused.ts";
import { fileTooLarge, notACsvFile, objectGone } from "../../shared/domain/file-refused.ts";
import { openObject } from "../../shared/files/buckets.ts";
import { readCustomers } from "../../shared/files/customer-reader.ts";
import type { Rejects } from "../../shared/files/rejects.ts";
import type { Salt } from "../../shared/pool/hash.ts";
import type { StoredAudience } from "../../shared/storage/audiences.ts";
import type { Progress } from "./audience-run.ts";
import { CustomerList } from "./customer-list.ts";

/** What an audience's file holds. */
export interface AudienceFile {
  /** Sorted, each once. */
  readonly customers: CustomerList;
  readonly rows: StoredAudience["rows"];
}

/** Streams the audience's object. Throws `AudienceRefused` or `FileRefused` for a file that is none. */
export const readAudience = async (
  { objectKey, versionId, fileName }: StoredAudience,
  {
    salt,
    rejects,
    progress,
  }: { readonly salt: Salt; readonly rejects: Rejects; readonly progress: Progress },
): Promise<AudienceFile> => {
  if (!/\.csv$/i.test(fileName)) throw notACsvFile();
  if (objectKey === null) throw objectGone();
  const { bytes, chunks } = await openObject({ objectKey, versionId });
  if (bytes > maxFileBytes) throw fileTooLarge(maxFileBytes);

  const customers = new CustomerList(bytes, maxCustomersPerAudience, salt);
  const read = await readCustomers(chunks, {
    customer: (source, start, end) => {
      if (!customers.add(source, start, end)) throw tooManyCustomers(maxCustomersPerAudience);
    },
    rejected: (line, reason, cell) => rejects.add(line, reason, cell),
    afterRows: async (rows) => {
      await rejects.drained();
      // How many of them are different is known at the end.
      const seen = { read: rows, customers: customers.added, repeatedInFile: 0, rejected: rejects.count };
      await progress.report({ rows: seen, problems: [...rejects.problems] });
    },
  });
  customers.sort();
  const repeatedInFile = customers.added - customers.count;
  return { customers, rows: { read, customers: customers.count, repeatedInFile, rejected: rejects.count } };
};
