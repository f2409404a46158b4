import { createHash } from "node:crypto";
import { problemByCode } from "../contract/problems.ts";
import type { Route } from "../contract/route.ts";
import { idempotencyKeyReused, requestInProgress } from "../domain/failures.ts";
import { abandon, begin, complete, release } from "../storage/idempotency.ts";
import type { ApiCall, ApiMiddleware } from "./api-middleware.ts";
import { failureOf } from "./failure-of.ts";
import { gatewayAnswer } from "./gateway-answer.ts";
import { loggable, logger } from "./logger.ts";

/**
 * Keeps the first answer to an Idempotency-Key and gives it again.
 *
 *     begin ── absent ──> handler ── success ──> complete: the answer is kept for 24 hours
 *       │                    ├── refused (4xx) ─> release: nothing came of it, the key is free again
 *       │                    ├── failed (5xx) ──> abandon: the next try goes on at once, with the same ULID
 *       │                    └── crashed ───────> the lease runs out, the next try goes on with the same ULID
 *       ├── kept ──────> that answer, `Idempotent-Replayed: true`
 *       ├── in progress > 409
 *       └── other body ─> 422
 */
export const recordedAnswers = (route: Route): ApiMiddleware => ({
  before: async ({ event, context }) => {
    const { call } = context;
    if (route.idempotency !== "recorded" || call.idempotencyKey === undefined) return undefined;
    const attempt = { digest: digestOf(route, call), attempt: call.freshUlid };
    const beginning = await begin({
      ...attempt,
      requestHash: sha256(canonical({ path: call.path, body: call.body })),
      freshUlid: call.freshUlid,
      now: call.receivedAt,
    });
    switch (beginning.outcome) {
      case "begun":
        context.call = { ...call, attempt, freshUlid: beginning.freshUlid };
        return undefined;
      case "kept":
        return gatewayAnswer(beginning.answer, route, event, { replayed: true });
      case "in-progress":
        throw requestInProgress();
      case "reused":
        throw idempotencyKeyReused();
    }
  },
  onError: async ({ context, error }) => {
    const attempt = context.call.attempt;
    // A function that ran out of time is frozen in mid-work and may go on with it when it thaws: its lease stays.
    if (!attempt || !error || error.name === "TimeoutError") return;
    const wasRefused = problemByCode[failureOf(error).code].status < 500;
    await (wasRefused ? release : abandon)(attempt).catch((trouble: Error) =>
      logger.warn("an Idempotency-Key stays taken until its lease ends", { error: loggable(trouble) }),
    );
  },
});

/** Keeps the answer under the call's Idempotency-Key, if it has one. */
export const keepAnswer = async ({ attempt }: ApiCall, answer: Parameters<typeof complete>[1]) => {
  if (attempt) await complete(attempt, answer);
};

/** Keys of different callers and routes never meet. */
const digestOf = ({ method, path }: Route, { keyId, idempotencyKey }: ApiCall): string =>
  sha256(JSON.stringify([keyId, method, path, idempotencyKey]));

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** JSON with sorted keys. The value was parsed by a schema, so it is shallow. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
