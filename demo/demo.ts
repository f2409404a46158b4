import { createHash } from "node:crypto";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import colors from "picocolors";
import type { AllocatedCodes, Allocation } from "../shared/contract/allocations.ts";
import type { CodeFile } from "../shared/contract/code-files.ts";
import type { Export } from "../shared/contract/exports.ts";
import type { Promocode } from "../shared/contract/promocodes.ts";
import type { Promotion } from "../shared/contract/promotions.ts";
import { ApiClient } from "./api-client.ts";
import { csvOf, newCodes } from "./code-file.ts";
import { narrator } from "./narrator.ts";
import { runningService } from "./running-service.ts";

// The SDK would tell every newcomer on Node 20 about the end of its support.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

const poolSize = 3_000;
const refillSize = 500;

/** A promise of the service that the demo looks at. */
const prove = (holds: boolean, text: string): void => {
  if (!holds) throw new Error(`This should hold and does not: ${text}`);
  narrator.proof(text);
};

const upload = async (api: ApiClient, promocodeId: string, csv: string): Promise<CodeFile> => {
  const { file, upload } = await api.call<{
    file: CodeFile;
    upload: { url: string; fields: Record<string, string> };
  }>("POST", `/v1/promocodes/${promocodeId}/files`, { fileName: "autumn-codes.csv" });
  narrator.request("POST", `${upload.url}  (multipart/form-data: the fields above, then the file)`);
  const form = new FormData();
  for (const [name, value] of Object.entries(upload.fields)) form.append(name, value);
  form.append("file", new Blob([csv], { type: "text/csv" }), "autumn-codes.csv");
  const response = await fetch(upload.url, { method: "POST", body: form });
  narrator.lines([colors.green(`${response.status} from S3`)]);
  if (!response.ok) throw new Error(`The upload was refused: ${await response.text()}`);
  return api.callUntil<CodeFile>(
    `/v1/promocodes/${promocodeId}/files/${file.fileId}`,
    ({ status }) => status === "ready" || status === "failed",
  );
};

const exportOf = async (
  api: ApiClient,
  path: string,
): Promise<{ rows: readonly string[]; sha256: string | null; text: string }> => {
  const { exportId } = await api.call<Export>("POST", path, {});
  const done = await api.callUntil<Export>(
    `/v1/exports/${exportId}`,
    ({ status }) => status === "succeeded" || status === "failed",
  );
  const text = await (await fetch(done.downloadUrl ?? "")).text();
  narrator.lines([colors.bold("The file begins:"), ...text.split("\n").slice(0, 4)]);
  return { rows: text.trimEnd().split("\n").slice(1), sha256: done.sha256, text };
};

const service = await runningService();
const { apiUrl, apiKey, s3 } = service.endpoints;
try {
  const api = new ApiClient(apiUrl, apiKey);
  narrator.title("Codewell: a newcomer's first minute");
  narrator.remark(
    `Every line below is a real call to ${apiUrl}. Nothing is faked, nothing leaves this machine.`,
  );

  narrator.chapter(1, "A promotion, and a code that everybody shares");
  const promotion = await api.call<Promotion>("POST", "/v1/promotions", {
    name: "Autumn sale",
    status: "active",
  });
  const code = `WELCOME-${newCodes(1)[0]}`;
  const shared = await api.call<Promocode>("POST", "/v1/promocodes", {
    promotionId: promotion.promotionId,
    type: "global",
    code,
  });
  const global = await api.call<Allocation>("POST", `/v1/promocodes/${shared.promocodeId}/allocations`, {
    customerId: "ada",
  });
  prove(global.uniqueCode === code, "everybody who asks gets the shared code");

  narrator.chapter(2, `A pool of ${poolSize} unique codes, filled from a CSV file`);
  const { promocodeId } = await api.call<Promocode>("POST", "/v1/promocodes", {
    promotionId: promotion.promotionId,
    type: "personalized",
    uniqueCodes: { allocationMethod: "Consistent", defaultCode: "TAKE10" },
  });
  narrator.remark("The file has one code twice and one row that is no code. Watch what becomes of them.");
  const file = await upload(api, promocodeId, csvOf(newCodes(poolSize), { flawed: true }));
  prove(
    file.codes === poolSize && file.duplicatesInFile === 1 && file.rejected === 1,
    `${file.codes} codes are in the pool; the repeat was skipped, the bad row is named with its line`,
  );

  narrator.chapter(3, "Two customers, and one who asks again");
  const allocations = `/v1/promocodes/${promocodeId}/allocations`;
  const ada = await api.call<Allocation>("POST", allocations, {
    customerId: "ada",
    occurenceId: "welcome-mail",
  });
  const bob = await api.call<Allocation>("POST", allocations, {
    customerId: "bob",
    occurenceId: "welcome-mail",
  });
  const again = await api.call<Allocation>("POST", allocations, {
    customerId: "ada",
    occurenceId: "reminder-mail",
  });
  prove(ada.uniqueCode !== bob.uniqueCode, "two customers have two codes");
  prove(
    again.repeated && again.uniqueCode === ada.uniqueCode,
    "whoever asks again gets the same code: nothing is burnt",
  );

  narrator.chapter(4, "The pool runs dry, and is refilled");
  narrator.remark(
    `${poolSize} more customers ask, a thousand in a call. Only ${poolSize - 2} codes are left.`,
  );
  const given = new Set([ada.uniqueCode, bob.uniqueCode]);
  let latecomer: Allocation | undefined;
  for (let first = 0; first < poolSize; first += 1_000) {
    const customers = Array.from({ length: 1_000 }, (_, index) => ({
      customerId: `customer-${first + index}`,
    }));
    const { results, summary } = await api.call<AllocatedCodes>(
      "POST",
      `${allocations}/batch`,
      { allocations: customers },
      { quiet: true },
    );
    narrator.lines([`batch of 1000: ${JSON.stringify(summary)}`]);
    for (const result of results) {
      if ("problem" in result) throw new Error(result.problem.detail);
      if (result.source === "pool") given.add(result.uniqueCode);
      else latecomer = result;
    }
  }
  prove(given.size === poolSize, `all ${poolSize} codes went out, each to one customer`);
  if (!latecomer) throw new Error("nobody was too late for a code of their own");
  const asLate = { customerId: latecomer.customerId };
  const dry = await api.call<Allocation>("POST", allocations, asLate);
  prove(dry.source === "default", "with the pool dry, the default code steps in");

  narrator.remark(
    `A file dropped straight into the bucket: s3://${s3.uploadsBucket}/promocodes/${promocodeId}/refill.csv`,
  );
  const bucket = new S3Client({
    endpoint: s3.endpoint,
    region: s3.region,
    forcePathStyle: true,
    credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
  });
  await bucket.send(
    new PutObjectCommand({
      Bucket: s3.uploadsBucket,
      Key: `promocodes/${promocodeId}/refill.csv`,
      Body: csvOf(newCodes(refillSize)),
    }),
  );
  bucket.destroy();
  await api.callUntil<{ items: readonly CodeFile[] }>(`/v1/promocodes/${promocodeId}/files`, ({ items }) =>
    items.some(({ source, status }) => source === "drop" && status === "ready"),
  );
  const served = await api.call<Allocation>("POST", allocations, asLate);
  prove(served.source === "pool", "after the refill, the same customer gets a code of their own");

  narrator.chapter(5, "Who got which code: by promocode and by file");
  const all = await exportOf(api, `/v1/promocodes/${promocodeId}/exports`);
  const ofFile = await exportOf(api, `/v1/promocodes/${promocodeId}/files/${file.fileId}/exports`);
  prove(
    all.rows.length === poolSize + 1,
    `the promocode's export has a row for each of the ${poolSize + 1} codes given`,
  );
  prove(ofFile.rows.length === poolSize, `the first file's export has its ${poolSize} codes`);
  prove(
    createHash("sha256").update(all.text).digest("hex") === all.sha256,
    "the download is what was written: its SHA-256 agrees",
  );

  narrator.title("That was all of it");
  narrator.remark(
    "Next: npm start, and the guide in README.md. Data of this demo is in .local/ until npm start -- --fresh.",
  );
} catch (error) {
  console.error(`\n${colors.red("✗")} ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await service.close();
}
