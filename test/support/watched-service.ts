import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildStack } from "../../local/build.ts";
import { LocalFunction } from "../../local/functions/local-function.ts";
import { type LocalService, type Surroundings, startLocalService } from "../../local/local-service.ts";
import { readTemplate } from "../../local/template/read-template.ts";
import {
  type Exchange,
  type FaultProxy,
  startFaultProxy,
  type WireAnswer,
  type WireRequest,
} from "../faults/fault-proxy.ts";
import { withoutHash } from "../infra/synthesized.ts";
import { rightsNeededBy } from "./rights-needed.ts";
import { ServiceClient } from "./service-client.ts";

/** What happens to a function's requests of one kind instead of what they ask for. */
export interface Trouble {
  readonly matches: (request: WireRequest) => boolean;
  /** Answers in the engine's place; undefined lets the request through. */
  readonly answer: (exchange: Exchange) => Promise<WireAnswer | undefined> | WireAnswer | undefined;
  /** @default 1 */
  readonly times?: number;
}

/** The whole service, of the bundles that would be deployed, with a listener between each function and what it calls. */
export interface WatchedService {
  readonly directory: string;
  readonly service: LocalService;
  readonly client: ServiceClient;
  /** What each function called, as rights, `dynamodb:GetItem on CodesTable`; functions by their logical id without its hash. */
  readonly calls: ReadonlyMap<string, ReadonlySet<string>>;
  /** From now on something goes wrong between this function and what it calls. Answers how often it has. */
  trouble(functionName: string, trouble: Trouble): { readonly happened: number };
  /** Nothing goes wrong there any more. */
  calm(functionName: string): void;
  /** Hands a function a message as its queue would, as late and as often as the test says. */
  deliver(
    functionName: string,
    message: object,
    delivery?: { readonly receives?: number; readonly timeoutSeconds?: number },
  ): Promise<unknown>;
  close(): Promise<void>;
}

export const startWatchedService = async (): Promise<WatchedService> => {
  const directory = mkdtempSync(join(tmpdir(), "watched-service-"));
  const { directory: stack } = await buildStack();
  const wires: FaultProxy[] = [];
  const calls = new Map<string, Set<string>>();
  const troubles = new Map<string, (Trouble & { left: number; happened: number })[]>();
  const functions = new Map<string, Surroundings>();
  const queueEndpoint = "http://127.0.0.1:1";
  const facts = readTemplate({ directory: stack, region: "us-east-1", queueEndpoint });

  const listen = async (functionName: string, upstream: string): Promise<string> => {
    const wire = await startFaultProxy(upstream);
    wires.push(wire);
    wire.inject(async (exchange) => {
      const { request } = exchange;
      const trouble = troubles.get(functionName)?.find(({ left, matches }) => left > 0 && matches(request));
      if (trouble) trouble.left -= 1;
      const instead = await trouble?.answer(exchange);
      if (trouble) trouble.happened += 1;
      const answer = instead ?? (await exchange.carryOut());
      const used = calls.get(functionName) ?? new Set();
      for (const right of rightsNeededBy(request, answer.status, facts)) used.add(right);
      calls.set(functionName, used);
      exchange.answer(answer);
    });
    return wire.endpoint;
  };

  const between = async ({ facts, endpoints }: Surroundings): Promise<Surroundings> => {
    const name = withoutHash(facts.logicalId);
    const watched = await Promise.all(
      Object.entries(endpoints).map(async ([kind, url]) => [kind, await listen(name, url)] as const),
    );
    const own = Object.fromEntries(watched) as unknown as Surroundings["endpoints"];
    // A queue's address is where its messages are sent, whatever the endpoint.
    const environment = Object.fromEntries(
      Object.entries(facts.environment).map(([variable, value]) => [
        variable,
        value.startsWith(endpoints.sqs) ? value.replace(endpoints.sqs, own.sqs) : value,
      ]),
    );
    const surroundings = { facts: { ...facts, environment }, endpoints: own };
    functions.set(name, surroundings);
    return surroundings;
  };
  const service = await startLocalService({ directory, stack, port: 0, between });
  const { region, accessKeyId, secretAccessKey } = service.endpoints.dynamodb;

  return {
    directory,
    service,
    client: new ServiceClient(service.endpoints),
    calls,
    trouble: (functionName, trouble) => {
      const one = { ...trouble, left: trouble.times ?? 1, happened: 0 };
      troubles.set(functionName, [...(troubles.get(functionName) ?? []), one]);
      return one;
    },
    calm: (functionName) => void troubles.delete(functionName),
    deliver: async (functionName, message, { receives = 1, timeoutSeconds = 900 } = {}) => {
      const known = functions.get(functionName);
      if (!known) throw new Error(`there is no function ${functionName}`);
      const fn = new LocalFunction({
        facts: { ...known.facts, timeoutSeconds },
        runtime: { region, credentials: { accessKeyId, secretAccessKey }, endpoints: known.endpoints },
        logDirectory: service.logDirectory,
        environments: 1,
      });
      const record = {
        messageId: randomUUID(),
        body: JSON.stringify(message),
        attributes: { ApproximateReceiveCount: String(receives) },
      };
      try {
        return await fn.invoke(JSON.stringify({ Records: [record] }));
      } finally {
        await fn.close(0);
      }
    },
    close: async () => {
      await service.close();
      await Promise.all(wires.map((wire) => wire.close()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
};
