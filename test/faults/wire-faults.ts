import { setTimeout as sleep } from "node:timers/promises";
import type { WireAnswer, WireFault, WireRequest } from "./fault-proxy.ts";

/*
 * What can happen to a request. Words for AWS's own refusals are from
 * docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and
 * docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
 */

const jsonAnswer = (status: number, body: unknown): WireAnswer => ({
  status,
  rawHeaders: ["Content-Type", "application/x-amz-json-1.0", "x-amzn-RequestId", "FAULT"],
  body: Buffer.from(JSON.stringify(body)),
});

const xmlAnswer = (status: number, code: string): WireAnswer => ({
  status,
  rawHeaders: ["Content-Type", "application/xml"],
  body: Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>injected</Message></Error>`,
  ),
});

/** The service has too much to do and says so. Nothing is carried out. */
export const throttled: WireFault = ({ request, answer }) => {
  if (request.service === "s3") return answer(xmlAnswer(503, "SlowDown"));
  const names = {
    dynamodb: "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    streams: "com.amazonaws.dynamodb.v20120810#LimitExceededException",
    sqs: "com.amazonaws.sqs#RequestThrottled",
  };
  answer(jsonAnswer(400, { __type: names[request.service], message: "injected" }));
};

/** The service fails within. Nothing is carried out. */
export const failing: WireFault = ({ request, answer }) =>
  answer(
    request.service === "s3"
      ? xmlAnswer(500, "InternalError")
      : jsonAnswer(500, { __type: "com.amazonaws#InternalServerError", message: "injected" }),
  );

/** The connection is reset before anything was carried out. */
export const connectionReset: WireFault = ({ reset }) => reset();

/** The request is carried out; its answer never arrives, because the connection is reset. */
export const answerLost: WireFault = async ({ carryOut, reset }) => {
  await carryOut();
  reset();
};

/** Nothing is carried out and nothing is answered: the connection hangs. */
export const hanging: WireFault = () => {};

/** The request is carried out, but nothing is answered: the connection hangs. */
export const answerHanging: WireFault = async ({ carryOut }) => void (await carryOut());

/** Carried out and answered, so much later. */
export const slow =
  (milliseconds: number): WireFault =>
  async ({ carryOut, answer }) => {
    await sleep(milliseconds);
    answer(await carryOut());
  };

/** S3 answers 200 at once and tells in the body that it failed, as it may for a long request. Nothing is carried out. */
export const failureInTheBody: WireFault = ({ answer }) => answer({ ...xmlAnswer(200, "InternalError") });

/** Carried out; half of the answer arrives, then the connection is reset. */
export const answerTruncated: WireFault = async ({ carryOut, beginAnswer, reset }) => {
  const whole = await carryOut();
  beginAnswer(whole, Math.floor(whole.body.length / 2));
  // Let the first half leave: a reset throws away what was not sent yet.
  await sleep(20);
  reset();
};

/** Carried out; half of the answer arrives, and then nothing any more, while the connection stays. */
export const answerStalled: WireFault = async ({ carryOut, beginAnswer }) => {
  const whole = await carryOut();
  beginAnswer(whole, Math.floor(whole.body.length / 2));
};

/** Carried out; half of the answer arrives, then the connection ends in good order, as if that were all. */
export const answerCutOff: WireFault = async ({ carryOut, beginAnswer, hangUp }) => {
  const whole = await carryOut();
  beginAnswer(whole, Math.floor(whole.body.length / 2));
  await sleep(20);
  hangUp();
};

/** Carried out; the answer arrives in so many pieces, with a pause before each. */
export const answerDripping =
  (pieces: number, pauseMs: number): WireFault =>
  async ({ carryOut, beginAnswer, more, end }) => {
    const whole = await carryOut();
    const length = Math.ceil(whole.body.length / pieces);
    beginAnswer(whole, 0);
    for (let at = 0; at < whole.body.length; at += length) {
      await sleep(pauseMs);
      more(whole.body.subarray(at, at + length));
    }
    end();
  };

/** Holds a request back until it is released; then it is carried out and answered. */
export const heldBack = (): {
  readonly fault: WireFault;
  /** Resolves when a request is being held. */
  readonly arrived: Promise<void>;
  release(): void;
} => {
  let tellArrived = () => {};
  let release = () => {};
  const arrived = new Promise<void>((resolve) => {
    tellArrived = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const fault: WireFault = async ({ carryOut, answer }) => {
    tellArrived();
    await released;
    answer(await carryOut());
  };
  return { fault, arrived, release };
};

/** The process dies just before the request leaves it. */
export const crashBefore: WireFault = ({ crash }) => crash();

/** The process dies just after the request was carried out, before it hears of it. */
export const crashAfter: WireFault = async ({ carryOut, crash }) => {
  await carryOut();
  crash();
};

/**
 * Holds requests back until so many are there, then lets all go at once: a race that always happens. Those that follow
 * are held for the next round.
 */
export const together = (many: number): WireFault => {
  let held: (() => void)[] = [];
  return async ({ carryOut, answer }) => {
    await new Promise<void>((release) => {
      held.push(release);
      if (held.length < many) return;
      for (const each of held) each();
      held = [];
    });
    answer(await carryOut());
  };
};

/** What time it is, whatever a test has made of `Date`. */
const trueTime = (): Date => new Date(performance.timeOrigin + performance.now());
const signatureLifeMs = 5 * 60_000;

/** A request whose signature AWS would refuse: its time is more than five minutes off. */
export const isSignedFarOff = ({ headers }: WireRequest): boolean => {
  const time = String(headers["x-amz-date"]);
  const iso = time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
  return Math.abs(Date.parse(iso) - trueTime().getTime()) > signatureLifeMs;
};

/** As AWS refuses a signature that is too old or too new; the header tells its own time. */
export const refusedForItsClock: WireFault = ({ answer }) => {
  const refusal = jsonAnswer(400, {
    __type: "com.amazon.coral.service#InvalidSignatureException",
    message: "Signature expired: the request is too far from the current time",
  });
  answer({ ...refusal, rawHeaders: [...refusal.rawHeaders, "Date", trueTime().toUTCString()] });
};

type Batch = Readonly<Record<string, { readonly Keys: readonly unknown[] } | readonly unknown[]>>;

const firstOf = (batch: Batch, share: number) => {
  const kept: Record<string, unknown> = {};
  const left: Record<string, unknown> = {};
  for (const [table, asked] of Object.entries(batch)) {
    const entries = "Keys" in asked ? asked.Keys : asked;
    const count = Math.ceil(entries.length * share);
    const put = (into: Record<string, unknown>, some: readonly unknown[]) => {
      if (some.length > 0) into[table] = "Keys" in asked ? { ...asked, Keys: some } : some;
    };
    put(kept, entries.slice(0, count));
    put(left, entries.slice(count));
  }
  return { kept, left };
};

/**
 * DynamoDB gets round to this share of a batch (BatchGetItem or BatchWriteItem) and gives the rest back as unprocessed.
 * For engines that check no signatures, such as dynoxide: the body changes.
 */
export const unprocessed =
  (share: number): WireFault =>
  async ({ request, carryOut, answer }) => {
    const asked = JSON.parse(request.body.toString()) as { RequestItems: Batch };
    const isRead = request.operation === "BatchGetItem";
    const rest = isRead ? "UnprocessedKeys" : "UnprocessedItems";
    const { kept, left } = firstOf(asked.RequestItems, share);
    if (Object.keys(kept).length === 0)
      return answer(jsonAnswer(200, { ...(isRead && { Responses: {} }), [rest]: left }));
    const whole = await carryOut(Buffer.from(JSON.stringify({ ...asked, RequestItems: kept })));
    if (whole.status !== 200) return answer(whole);
    answer(jsonAnswer(200, { ...(JSON.parse(whole.body.toString()) as object), [rest]: left }));
  };

const writes = new Set(["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"]);

/** A write to the table. */
export const isTableWrite = ({ service, operation }: WireRequest): boolean =>
  service === "dynamodb" && writes.has(operation);

/** One operation of DynamoDB or SQS, by name. */
export const isOperation =
  (...names: readonly string[]) =>
  ({ operation }: WireRequest): boolean =>
    names.includes(operation);

/** The key of the one item that a request is about; empty for transactions and batches. */
const keyOf = ({ body }: WireRequest): { readonly pk: string; readonly sk: string } => {
  const { Key, Item } = JSON.parse(body.toString()) as Record<
    string,
    Record<string, { S?: string }> | undefined
  >;
  const key = Key ?? Item ?? {};
  return { pk: key.pk?.S ?? "", sk: key.sk?.S ?? "" };
};

/** A write of an item whose partition key starts so; not for transactions and batches. */
export const isWriteOf =
  (partitionPrefix: string) =>
  (request: WireRequest): boolean =>
    isTableWrite(request) && keyOf(request).pk.startsWith(partitionPrefix);

/** A read of an item whose partition key starts so, on its own. */
export const isGetOf =
  (partitionPrefix: string) =>
  (request: WireRequest): boolean =>
    request.operation === "GetItem" && keyOf(request).pk.startsWith(partitionPrefix);

/** What a write of an allocation is for. */
export type TableWrite = "context" | "base" | "append" | "mark" | "intent" | "default" | "other";

/** What this write is for, by the key of its item. */
export const tableWriteOf = (request: WireRequest): TableWrite => {
  const { pk, sk } = keyOf(request);
  if (pk.startsWith("x#")) return "context";
  if (pk.startsWith("promocode#") && sk === "head") return "base";
  if (pk.startsWith("c#")) return sk === "full" ? "mark" : "append";
  if (pk.startsWith("f#")) return "mark";
  if (pk.startsWith("customer#")) return sk.startsWith("intent#") ? "intent" : "default";
  return "other";
};

/** The write that hands out a code. */
export const isAppend = (request: WireRequest): boolean =>
  isTableWrite(request) && tableWriteOf(request) === "append";
