import { randomUUID } from "node:crypto";
import type { S3EventRecord } from "aws-lambda";
import type { ObjectVersion, PendingEvent } from "./catalog.ts";
import { nullVersion } from "./catalog.ts";
import { formEncodeKey } from "./keys.ts";

/** What a receiver is told: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
export type S3EventRecordInput = S3EventRecord;

export type CreationEvent =
  | "ObjectCreated:Put"
  | "ObjectCreated:Post"
  | "ObjectCreated:Copy"
  | "ObjectCreated:CompleteMultipartUpload";

/** Who wants to know of new objects, and of which. */
export interface Subscription {
  readonly notify: (record: S3EventRecordInput) => Promise<void>;
  readonly filter: { readonly prefix?: string; readonly suffix?: string };
}

/** The request that brought an object about. */
export interface Cause {
  readonly event: CreationEvent;
  readonly requestId: string;
  readonly sourceAddress: string;
}

const firstRetryMs = 200;
const maxRetryMs = 30_000;

/**
 * Tells receivers of new objects, at least once each, in no particular order. An event is written down together with its
 * object and crossed out when the receiver has resolved, so it survives a crash at any point in between.
 */
export class Notifier {
  readonly #retries = new Set<NodeJS.Timeout>();
  #stopped = false;
  #lastSequence = 0n;

  constructor(
    private readonly region: string,
    private readonly subscriptions: ReadonlyMap<string, Subscription>,
    private readonly confirm: (eventId: string) => Promise<void>,
  ) {}

  /** The event to be committed with a new object, if anyone wants to know of it. */
  eventFor(bucket: string, version: ObjectVersion, cause: Cause): PendingEvent | undefined {
    const subscription = this.subscriptions.get(bucket);
    if (!subscription) return undefined;
    const { prefix = "", suffix = "" } = subscription.filter;
    if (!version.key.startsWith(prefix) || !version.key.endsWith(suffix)) return undefined;
    return { id: randomUUID(), bucket, record: this.#recordOf(bucket, version, cause) };
  }

  /** Sends a committed event, again and again until it is taken. */
  deliver(event: PendingEvent, retryMs = firstRetryMs): void {
    const subscription = this.subscriptions.get(event.bucket);
    if (!subscription || this.#stopped) return;
    this.#attempt(subscription, event).catch((reason) => {
      if (this.#stopped) return;
      console.error(`The receiver of s3://${event.bucket} failed, trying again in ${retryMs} ms.`, reason);
      const timer = setTimeout(() => {
        this.#retries.delete(timer);
        this.deliver(event, Math.min(retryMs * 2, maxRetryMs));
      }, retryMs);
      timer.unref();
      this.#retries.add(timer);
    });
  }

  /** What is under way and what fails from now on is sent again after the next start. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#retries) clearTimeout(timer);
  }

  async #attempt({ notify }: Subscription, event: PendingEvent): Promise<void> {
    await notify(event.record);
    if (!this.#stopped) await this.confirm(event.id);
  }

  #recordOf(
    bucket: string,
    version: ObjectVersion,
    { event, requestId, sourceAddress }: Cause,
  ): S3EventRecord {
    return {
      eventVersion: "2.1",
      eventSource: "aws:s3",
      awsRegion: this.region,
      eventTime: new Date(version.modifiedAt).toISOString(),
      eventName: event,
      userIdentity: { principalId: "AWS:local" },
      requestParameters: { sourceIPAddress: sourceAddress },
      responseElements: { "x-amz-request-id": requestId, "x-amz-id-2": requestId },
      s3: {
        s3SchemaVersion: "1.0",
        configurationId: "local",
        bucket: { name: bucket, ownerIdentity: { principalId: "local" }, arn: `arn:aws:s3:::${bucket}` },
        object: {
          key: formEncodeKey(version.key),
          size: version.size,
          eTag: version.etag,
          ...(version.versionId === nullVersion ? {} : { versionId: version.versionId }),
          sequencer: this.#nextSequencer(),
        },
      },
    };
  }

  /** Of two events for a key, the later one has the greater sequencer. They are compared as text of equal length. */
  #nextSequencer(): string {
    const now = BigInt(Date.now()) << 20n;
    this.#lastSequence = now > this.#lastSequence ? now : this.#lastSequence + 1n;
    return this.#lastSequence.toString(16).toUpperCase().padStart(18, "0");
  }
}
