import type { EventDetail, EventName } from "../contract/events.ts";

/** Something that happened, as it is told on the bus. */
export type ServiceEvent = {
  [Name in EventName]: { readonly name: Name; readonly detail: EventDetail<Name> };
}[EventName];

/** What an event's maker says; the rest follows. */
type Told<Name extends EventName> = Omit<EventDetail<Name>, "version" | "eventId" | "message">;

/**
 * An id that is the same whenever the same thing is told again: its kind, what it happened to, and, for what can
 * happen to it more than once, which time it is.
 */
const eventIdOf = (name: EventName, subject: string, which?: number): string =>
  [name, subject, ...(which === undefined ? [] : [which])].join("/");

const number = (value: number): string => value.toLocaleString("en-US");

/** `crossing` numbers what was told of the pool. */
export const poolLow = (told: Told<"PoolLow">, crossing: number): ServiceEvent => {
  const { promocodeId, by, threshold, available, total } = told;
  const reached = by === "count" ? `${number(threshold)} codes` : `${threshold} percent`;
  return {
    name: "PoolLow",
    detail: {
      version: 1,
      eventId: eventIdOf("PoolLow", promocodeId, crossing),
      message: `Promocode ${promocodeId} has ${number(available)} of ${number(total)} codes left: its threshold of ${reached} is reached. Load another file before it runs dry.`,
      ...told,
    },
  };
};

export const poolDry = (told: Told<"PoolDry">, crossing: number): ServiceEvent => {
  const { promocodeId, total, onExhausted } = told;
  const next = onExhausted === "default" ? "get the default code" : "are refused";
  return {
    name: "PoolDry",
    detail: {
      version: 1,
      eventId: eventIdOf("PoolDry", promocodeId, crossing),
      message: `Promocode ${promocodeId} has none of its ${number(total)} codes left: customers ${next} from now on. Load another file.`,
      ...told,
    },
  };
};

export const defaultCodesGiven = (told: Told<"DefaultCodesGiven">, crossing: number): ServiceEvent => {
  const { promocodeId, defaultsGiven } = told;
  return {
    name: "DefaultCodesGiven",
    detail: {
      version: 1,
      eventId: eventIdOf("DefaultCodesGiven", promocodeId, crossing),
      message: `Customers of promocode ${promocodeId} get its default code now, because it has no code left: ${number(defaultsGiven)} so far. Load another file; whoever asks again after that gets a code of their own.`,
      ...told,
    },
  };
};

export const codeFileLoaded = (told: Told<"CodeFileLoaded">): ServiceEvent => ({
  name: "CodeFileLoaded",
  detail: {
    version: 1,
    eventId: eventIdOf("CodeFileLoaded", told.fileId),
    message: `File ${told.fileId} brought ${number(told.codes)} codes into promocode ${told.promocodeId}.`,
    ...told,
  },
});

export const codeFileFailed = (told: Told<"CodeFileFailed">): ServiceEvent => {
  const { promocodeId, fileId, failureCode } = told;
  return {
    name: "CodeFileFailed",
    detail: {
      version: 1,
      eventId: eventIdOf("CodeFileFailed", fileId),
      message: `File ${fileId} of promocode ${promocodeId} failed with ${failureCode}: nothing of it is in the pool. Its record says what to do: GET /v1/promocodes/${promocodeId}/files/${fileId}`,
      ...told,
    },
  };
};

export const exportReady = (told: Told<"ExportReady">): ServiceEvent => {
  const { exportId, promocodeId, rows } = told;
  return {
    name: "ExportReady",
    detail: {
      version: 1,
      eventId: eventIdOf("ExportReady", exportId),
      message: `Export ${exportId} of promocode ${promocodeId} is ready, with ${number(rows)} rows: GET /v1/exports/${exportId}`,
      ...told,
    },
  };
};

export const exportFailed = (told: Told<"ExportFailed">): ServiceEvent => {
  const { exportId, promocodeId } = told;
  return {
    name: "ExportFailed",
    detail: {
      version: 1,
      eventId: eventIdOf("ExportFailed", exportId),
      message: `Export ${exportId} of promocode ${promocodeId} failed. Its record says what to do: GET /v1/exports/${exportId}`,
      ...told,
    },
  };
};

export const audienceReady = (told: Told<"AudienceReady">): ServiceEvent => {
  const { audienceId, promocodeId, customers, summary, missing } = told;
  const found =
    missing === null
      ? `is done: ${number(customers)} customers, ${number(summary.pool)} new codes, ${number(summary.repeated)} codes that they held already, ${number(summary.default)} default codes, ${number(summary.refused)} refused. Its result`
      : `is previewed: ${number(customers)} customers, ${missing === 0 ? "and the pool suffices" : `${number(missing)} of whom would find the pool dry`}. What it found`;
  return {
    name: "AudienceReady",
    detail: {
      version: 1,
      eventId: eventIdOf("AudienceReady", audienceId),
      message: `Audience ${audienceId} of promocode ${promocodeId} ${found}: GET /v1/audiences/${audienceId}`,
      ...told,
    },
  };
};

export const audienceFailed = (told: Told<"AudienceFailed">): ServiceEvent => {
  const { audienceId, promocodeId, failureCode } = told;
  return {
    name: "AudienceFailed",
    detail: {
      version: 1,
      eventId: eventIdOf("AudienceFailed", audienceId),
      message: `Audience ${audienceId} of promocode ${promocodeId} failed with ${failureCode}. Its record says what to do: GET /v1/audiences/${audienceId}`,
      ...told,
    },
  };
};

export const deadLetter = (told: Told<"DeadLetter">): ServiceEvent => {
  const { queue, messageId, deliveries } = told;
  return {
    name: "DeadLetter",
    detail: {
      version: 1,
      eventId: eventIdOf("DeadLetter", messageId),
      message: `A message of queue ${queue} failed ${deliveries} times and is in its dead letters. Look for ${messageId} in the function's log, mend the cause and send it back: docs/operations.md, "Queues and dead letters".`,
      ...told,
    },
  };
};
