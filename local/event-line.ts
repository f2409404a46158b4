import pc from "picocolors";
import type { DeliveredEvent } from "./event-bus/event-bridge-server.ts";

/** An event for whoever watches `npm start`: its time, its name, and its sentence for people. */
export function eventLine({ detail, "detail-type": name }: DeliveredEvent): string {
  const { occurredAt, message } = detail;
  const [, time = ""] = /T(\d{2}:\d{2}:\d{2})/.exec(String(occurredAt)) ?? [];
  return `${pc.dim(time)} ${pc.yellow(name)} ${typeof message === "string" ? message : JSON.stringify(detail)}`;
}
