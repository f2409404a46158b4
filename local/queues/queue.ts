import { randomUUID } from "node:crypto";
import type { QueueFacts } from "../template/facts.ts";
import { type Message, type MessageAttributes, sizeInBytes } from "./message.ts";
import { invalidParameter, messageTooLong, receiptHandleIsInvalid } from "./queue-error.ts";

/** A change of a queue, as absolute facts: read twice it says the same. */
export type QueueChange =
  | { readonly queue: string; readonly put: Message }
  | { readonly queue: string; readonly drop: string };

/** Writes changes down; resolves when a crash can no longer undo them. */
export type RecordChange = (change: QueueChange) => Promise<void>;

export interface ReceiveOptions {
  readonly max: number;
  /** @default the queue's */
  readonly visibilityTimeoutSeconds?: number | undefined;
  /** How long to wait for a first message. @default 0 */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
  /** True when a function of this machine receives: what it holds is released when the machine starts again. */
  readonly held?: boolean;
}

export interface SendOptions {
  readonly attributes?: MessageAttributes;
  /** @default the queue's */
  readonly delaySeconds?: number | undefined;
}

/** A standard queue with SQS's semantics: at least once, order not promised, hidden while in flight. */
export class Queue {
  readonly #visible = new Map<string, Message>();
  readonly #hidden = new Map<string, Message>();
  readonly #waiters = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    readonly facts: QueueFacts,
    private readonly recordChange: RecordChange,
    private readonly deadLetters: () => Queue | undefined,
  ) {}

  /** Puts a message back that was there before a restart. */
  restore(message: Message): void {
    if (message.held) {
      // Whoever held it ended with the machine. That is no failed attempt, and nobody will time out.
      message.held = false;
      message.visibleAt = 0;
      message.receiveCount -= 1;
      delete message.receipt;
    }
    this.#hidden.set(message.id, message);
  }

  async send(body: string, { attributes = {}, delaySeconds }: SendOptions = {}): Promise<Message> {
    if (body === "") throw invalidParameter("The request must contain the parameter MessageBody.");
    if (sizeInBytes(body, attributes) > this.facts.maxMessageBytes)
      throw messageTooLong(this.facts.maxMessageBytes);
    const now = Date.now();
    const delay = inRange("DelaySeconds", delaySeconds ?? this.facts.delaySeconds, 0, 900);
    const message = {
      id: randomUUID(),
      body,
      attributes,
      sentAt: now,
      visibleAt: now + delay * 1_000,
      receiveCount: 0,
    };
    await this.#add(message);
    return message;
  }

  /** Up to `max` messages, hidden from others until their time-out; none when the wait is over first. */
  async receive(options: ReceiveOptions): Promise<readonly Message[]> {
    const { max, waitMs = 0, signal } = options;
    const deadline = Date.now() + waitMs;
    for (;;) {
      const messages = await this.#take(options, max);
      const left = deadline - Date.now();
      if (messages.length > 0 || left <= 0 || this.#closed || signal?.aborted) return messages;
      await this.#nextArrival(left, signal);
    }
  }

  /** Deletes what the receipt was given for. A receipt that is no longer the latest deletes nothing, as SQS warns. */
  async delete(receipt: string): Promise<void> {
    const message = this.#messageOf(receipt);
    if (message?.receipt !== receipt) return;
    await this.#drop(message);
  }

  async changeVisibility(receipt: string, seconds: number): Promise<void> {
    inRange("VisibilityTimeout", seconds, 0, 43_200);
    const message = this.#messageOf(receipt);
    if (message?.receipt !== receipt) throw receiptHandleIsInvalid();
    message.visibleAt = Date.now() + seconds * 1_000;
    message.held = false;
    this.#visible.delete(message.id);
    this.#hidden.set(message.id, message);
    this.#wakeUpInTime();
    await this.#record(message);
  }

  /** Says that a function had its attempt: what it held comes back at its time-out, also after a restart. */
  async endHold(receipt: string): Promise<void> {
    const message = this.#messageOf(receipt);
    if (message?.receipt !== receipt) return;
    message.held = false;
    await this.#record(message);
  }

  async purge(): Promise<void> {
    const all = [...this.messages()];
    await Promise.all(all.map((message) => this.#drop(message)));
  }

  *messages(): Iterable<Message> {
    yield* this.#visible.values();
    yield* this.#hidden.values();
  }

  /** Messages by state, as `GetQueueAttributes` calls them. */
  counts(): { visible: number; inFlight: number; delayed: number } {
    this.#reveal();
    const hidden = [...this.#hidden.values()];
    const inFlight = hidden.filter((message) => message.receipt !== undefined).length;
    return { visible: this.#visible.size, inFlight, delayed: hidden.length - inFlight };
  }

  /** Ends every wait. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#wakeWaiters();
  }

  async #take(options: ReceiveOptions, max: number): Promise<Message[]> {
    const seconds = options.visibilityTimeoutSeconds ?? this.facts.visibilityTimeoutSeconds;
    inRange("VisibilityTimeout", seconds, 0, 43_200);
    this.#reveal();
    const now = Date.now();
    const taken: Message[] = [];
    const written: Promise<void>[] = [];
    for (const message of this.#visible.values()) {
      if (taken.length === max) break;
      if (message.sentAt + this.facts.retentionSeconds * 1_000 < now) {
        written.push(this.#drop(message));
        continue;
      }
      const { deadLetter } = this.facts;
      if (deadLetter !== undefined && message.receiveCount >= deadLetter.maxReceiveCount) {
        written.push(this.#giveUp(message));
        continue;
      }
      this.#visible.delete(message.id);
      this.#hidden.set(message.id, message);
      message.visibleAt = now + seconds * 1_000;
      message.receiveCount += 1;
      message.firstReceivedAt ??= now;
      message.receipt = `${message.id}.${randomUUID()}`;
      message.held = options.held ?? false;
      taken.push(message);
      written.push(this.#record(message));
    }
    if (taken.length > 0) this.#wakeUpInTime();
    // Others may change a message as soon as it is visible again: what was received stays as it was.
    const received = taken.map((message) => ({ ...message }));
    await Promise.all(written);
    return received;
  }

  async #giveUp(message: Message): Promise<void> {
    const { receipt: _, ...rest } = message;
    this.#visible.delete(message.id);
    // First there, then gone here: a crash in between leaves two, never none.
    const deadLetters = this.deadLetters();
    if (deadLetters !== undefined)
      await deadLetters.#add({ ...rest, visibleAt: Date.now(), receiveCount: 0, held: false });
    await this.#drop(message);
  }

  async #add(message: Message): Promise<void> {
    await this.#record(message);
    this.#hidden.set(message.id, message);
    this.#wakeUpInTime();
  }

  #record(message: Message): Promise<void> {
    return this.recordChange({ queue: this.facts.name, put: message });
  }

  #drop(message: Message): Promise<void> {
    this.#visible.delete(message.id);
    this.#hidden.delete(message.id);
    return this.recordChange({ queue: this.facts.name, drop: message.id });
  }

  #messageOf(receipt: string): Message | undefined {
    const id = receipt.split(".")[0] ?? "";
    if (!/^[0-9a-f-]{36}$/.test(id)) throw receiptHandleIsInvalid();
    return this.#hidden.get(id) ?? this.#visible.get(id);
  }

  /** Makes visible whatever has been hidden for long enough. */
  #reveal(): void {
    const now = Date.now();
    for (const message of this.#hidden.values()) {
      if (message.visibleAt > now) continue;
      this.#hidden.delete(message.id);
      this.#visible.set(message.id, message);
    }
  }

  #wakeUpInTime(): void {
    clearTimeout(this.#timer);
    if (this.#closed || this.#waiters.size === 0) return;
    if (this.#visible.size === 0 && this.#hidden.size === 0) return;
    let next = this.#visible.size > 0 ? 0 : Infinity;
    for (const message of this.#hidden.values()) next = Math.min(next, message.visibleAt);
    const wait = next - Date.now();
    if (wait <= 0) this.#wakeWaiters();
    else this.#timer = setTimeout(() => this.#wakeWaiters(), Math.min(wait, 60_000));
  }

  #wakeWaiters(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  #nextArrival(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiters.delete(wake);
        clearTimeout(timer);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      signal?.addEventListener("abort", wake);
      this.#waiters.add(wake);
      this.#wakeUpInTime();
    });
  }
}

function inRange(name: string, value: number, from: number, to: number): number {
  if (Number.isInteger(value) && value >= from && value <= to) return value;
  throw invalidParameter(
    `Value ${value} for parameter ${name} is invalid. Reason: Must be between ${from} and ${to}.`,
  );
}
