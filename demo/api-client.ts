import { setTimeout as sleep } from "node:timers/promises";
import type { Problem } from "../shared/contract/problems.ts";
import { narrator } from "./narrator.ts";

/** How long the demo waits for a file to load or an export to be built, in milliseconds. */
const patience = 60_000;

/** Calls the service as anybody would, over HTTP, and tells what goes to and fro. */
export class ApiClient {
  readonly #apiUrl: string;
  readonly #apiKey: string;

  constructor(apiUrl: string, apiKey: string) {
    this.#apiUrl = apiUrl;
    this.#apiKey = apiKey;
  }

  /** The answer's body. Throws the problem's own sentence when the call was refused. */
  async call<Body>(method: string, path: string, body?: unknown, { quiet = false } = {}): Promise<Body> {
    if (!quiet) narrator.request(method, path, body);
    const response = await fetch(`${this.#apiUrl}${path}`, {
      method,
      headers: {
        "X-API-KEY": this.#apiKey,
        ...(body !== undefined && { "Content-Type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Body;
    if (!quiet) narrator.answer(response.status, answer);
    if (!response.ok) throw new Error(`${method} ${path}: ${(answer as Problem).detail}`);
    return answer;
  }

  /** Asks again, quietly, until the answer is as wanted; shows that one. */
  async callUntil<Body>(path: string, isDone: (body: Body) => boolean): Promise<Body> {
    const deadline = Date.now() + patience;
    for (;;) {
      const answer = await this.call<Body>("GET", path, undefined, { quiet: true });
      if (isDone(answer)) {
        narrator.request("GET", path);
        narrator.answer(200, answer);
        return answer;
      }
      if (Date.now() > deadline) throw new Error(`GET ${path} is not done after ${patience / 1000} s`);
      await sleep(100);
    }
  }
}
