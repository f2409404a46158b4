import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";
import type { DynamoDbEngine } from "../dynamodb/engine.ts";

/** A record as the stream's API sends it: dates are seconds, binary values base64, as functions get them too. */
export interface StreamRecord {
  readonly eventID: string;
  readonly eventName: "INSERT" | "MODIFY" | "REMOVE";
  readonly dynamodb: {
    readonly SequenceNumber: string;
    /** Seconds since 1970. */
    readonly ApproximateCreationDateTime: number;
    readonly [other: string]: unknown;
  };
  readonly [other: string]: unknown;
}

export interface Shard {
  readonly ShardId: string;
  readonly ParentShardId?: string;
}

export interface Page {
  readonly Records: readonly StreamRecord[];
  /** Absent when the shard is closed and read to its end. */
  readonly NextShardIterator?: string;
}

/** The stream's own words for a failure, such as `TrimmedDataAccessException`. */
export class StreamError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Reads a table's stream. Plain calls instead of the SDK's client: records pass through untouched, and large ones do
 * not cost the time of two conversions.
 */
export class StreamReader {
  readonly #signer: SignatureV4;

  constructor(private readonly engine: DynamoDbEngine) {
    this.#signer = new SignatureV4({
      service: "dynamodb",
      region: engine.region,
      credentials: engine.credentials,
      sha256: Sha256,
    });
  }

  async shards(streamArn: string): Promise<readonly Shard[]> {
    const shards: Shard[] = [];
    let ExclusiveStartShardId: string | undefined;
    do {
      const { StreamDescription } = await this.#call<{
        StreamDescription: { Shards?: readonly Shard[]; LastEvaluatedShardId?: string };
      }>("DescribeStream", { StreamArn: streamArn, ExclusiveStartShardId });
      shards.push(...(StreamDescription.Shards ?? []));
      ExclusiveStartShardId = StreamDescription.LastEvaluatedShardId;
    } while (ExclusiveStartShardId !== undefined);
    return shards;
  }

  /** Where to read on: after a record, or at the oldest one that the stream still has. */
  async iterator(streamArn: string, shardId: string, after: string | undefined): Promise<string> {
    const position =
      after === undefined
        ? { ShardIteratorType: "TRIM_HORIZON" }
        : { ShardIteratorType: "AFTER_SEQUENCE_NUMBER", SequenceNumber: after };
    const { ShardIterator } = await this.#call<{ ShardIterator: string }>("GetShardIterator", {
      StreamArn: streamArn,
      ShardId: shardId,
      ...position,
    });
    return ShardIterator;
  }

  page(iterator: string, limit: number): Promise<Page> {
    return this.#call<Page>("GetRecords", { ShardIterator: iterator, Limit: limit });
  }

  async #call<Answer>(operation: string, input: object): Promise<Answer> {
    const url = new URL(this.engine.endpoint);
    const body = JSON.stringify(input);
    const signed = await this.#signer.sign({
      method: "POST",
      protocol: url.protocol,
      hostname: url.hostname,
      port: Number(url.port),
      path: "/",
      query: {},
      headers: {
        host: url.host,
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": `DynamoDBStreams_20120810.${operation}`,
      },
      body,
    });
    const { host: _, ...headers } = signed.headers;
    const response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(10_000) });
    const answer = (await response.json()) as { __type?: string; message?: string; Message?: string };
    if (!response.ok) {
      const code = answer.__type?.split("#").at(-1) ?? `Status${response.status}`;
      throw new StreamError(code, `${operation}: ${answer.message ?? answer.Message ?? code}`);
    }
    return answer as Answer;
  }
}
