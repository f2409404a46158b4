import { setTimeout as sleep } from "node:timers/promises";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { Endpoints } from "../../local/local-service.ts";
import type { Allocation } from "../../shared/contract/allocations.ts";
import type { Audience } from "../../shared/contract/audiences.ts";
import type { CodeFile } from "../../shared/contract/code-files.ts";
import type { Export } from "../../shared/contract/exports.ts";
import type { Promocode } from "../../shared/contract/promocodes.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";

interface Form {
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface Reply<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** Uses a running service as its users do: HTTPS calls, presigned uploads, file drops, presigned downloads. */
export class ServiceClient {
  readonly endpoints: Endpoints;

  constructor(endpoints: Endpoints) {
    this.endpoints = endpoints;
  }

  async call<Body>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Reply<Body>> {
    const response = await fetch(`${this.endpoints.apiUrl}${path}`, {
      method,
      headers: {
        "X-API-KEY": this.endpoints.apiKey,
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
  }

  /** A promocode with unique codes in an active promotion. */
  async promocode(uniqueCodes: Partial<NonNullable<Promocode["uniqueCodes"]>> = {}): Promise<Promocode> {
    const promotion = await this.call<Promotion>("POST", "/v1/promotions", {
      name: "Test",
      status: "active",
    });
    const { promotionId } = promotion.body;
    const created = await this.call<Promocode>("POST", "/v1/promocodes", {
      promotionId,
      type: "personalized",
      uniqueCodes: { defaultCode: "DEFAULT", ...uniqueCodes },
    });
    return created.body;
  }

  /** Uploads through the presigned POST; answers the file's id. */
  async upload(promocodeId: string, content: string | Uint8Array): Promise<string> {
    const { body } = await this.call<{ file: CodeFile; upload: Form }>(
      "POST",
      `/v1/promocodes/${promocodeId}/files`,
      { fileName: "codes.csv" },
    );
    await this.send(body.upload, content);
    return body.file.fileId;
  }

  /** Sends a file through a presigned POST. */
  async send({ url, fields }: Form, content: string | Uint8Array): Promise<void> {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", new Blob([content], { type: "text/csv" }), "any.csv");
    const response = await fetch(url, { method: "POST", body: form });
    if (!response.ok) throw new Error(`S3 answered ${response.status}: ${await response.text()}`);
  }

  /** Drops a code file into the bucket. */
  drop(promocodeId: string, name: string, content: string | Uint8Array): Promise<void> {
    return this.put(`promocodes/${promocodeId}/${name}`, content);
  }

  /** Puts an object into the uploads bucket. */
  async put(key: string, content: string | Uint8Array): Promise<void> {
    const { endpoint, region, accessKeyId, secretAccessKey, uploadsBucket } = this.endpoints.s3;
    const client = new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    await client.send(new PutObjectCommand({ Bucket: uploadsBucket, Key: key, Body: Buffer.from(content) }));
    client.destroy();
  }

  /** Asks until the answer is as wanted. */
  async until<Body>(path: string, isWanted: (body: Body) => boolean, patienceMs = 60_000): Promise<Body> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const { body } = await this.call<Body>("GET", path);
      if (isWanted(body)) return body;
      if (Date.now() > deadline) throw new Error(`GET ${path} stays ${JSON.stringify(body)}`);
      await sleep(50);
    }
  }

  /** The promocode's files once all of them are loaded, or have failed. */
  async loadedFiles(promocodeId: string, count: number, patienceMs?: number): Promise<readonly CodeFile[]> {
    const { items } = await this.until<{ items: readonly CodeFile[] }>(
      `/v1/promocodes/${promocodeId}/files`,
      (page) =>
        page.items.length === count &&
        page.items.every(({ status }) => status === "ready" || status === "failed"),
      patienceMs,
    );
    return items;
  }

  /** Announces an audience. */
  async announceAudience(
    promocodeId: string,
    request: Readonly<Record<string, string>> = {},
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ readonly audience: Audience; readonly upload: Form }> {
    const path = `/v1/promocodes/${promocodeId}/audiences`;
    const { status, body } = await this.call<{ audience: Audience; upload: Form }>(
      "POST",
      path,
      { fileName: "audience.csv", ...request },
      headers,
    );
    if (status !== 201) throw new Error(`POST ${path} answered ${status}: ${JSON.stringify(body)}`);
    return body;
  }

  /** Announces an audience, sends its file and waits until the job is over. */
  async audience(
    promocodeId: string,
    content: string,
    request?: Readonly<Record<string, string>>,
  ): Promise<Audience> {
    const { audience, upload } = await this.announceAudience(promocodeId, request);
    await this.send(upload, content);
    return this.until<Audience>(`/v1/audiences/${audience.audienceId}`, isOver);
  }

  /** The promocode's audiences, newest first, once there are so many and all of them are over. */
  async finishedAudiences(promocodeId: string, count: number): Promise<readonly Audience[]> {
    const { items } = await this.until<{ items: readonly Audience[] }>(
      `/v1/promocodes/${promocodeId}/audiences`,
      (page) => page.items.length === count && page.items.every(isOver),
    );
    return items;
  }

  allocate(
    promocodeId: string,
    request: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Reply<Allocation>> {
    return this.call<Allocation>("POST", `/v1/promocodes/${promocodeId}/allocations`, request, headers);
  }

  /** Asks for an export and downloads it. */
  async exportOf(path: string, body: unknown = {}): Promise<{ record: Export; text: string }> {
    const queued = await this.call<Export>("POST", path, body);
    const record = await this.until<Export>(
      `/v1/exports/${queued.body.exportId}`,
      ({ status }) => status === "succeeded" || status === "failed",
    );
    const download = await fetch(record.downloadUrl ?? "");
    return { record, text: await download.text() };
  }
}

const isOver = ({ status }: Audience): boolean => status === "succeeded" || status === "failed";
