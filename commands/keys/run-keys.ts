import type { ApiKey } from "../../shared/storage/api-keys.ts";
import { auditedCommand } from "../audited-command.ts";
import type { KeysCommand } from "./arguments.ts";
import type { Place } from "./place.ts";
import { KeyRegister } from "./usage-plan.ts";

/** Longest that the gateway goes on with what the authorizer said of a key, in seconds. */
const authorizerCacheSeconds = 60;

/** What was done: as text for people and as a value for scripts. */
export interface Report {
  readonly text: string;
  readonly value: unknown;
}

/** Does what the command line asks for. The place's variables must be set: the storage modules read them on import. */
export const runKeys = async (command: KeysCommand, place: Place, now: Date): Promise<Report> => {
  const storage = await import("../../shared/storage/api-keys.ts");
  const { operatorOf } = await import("../operator.ts");
  const register = place.usagePlan && new KeyRegister(place.usagePlan);
  const onRecord = async () => ({ operator: await operatorOf(place.usagePlan?.region), now });

  switch (command.action) {
    case "create": {
      const { name, scopes } = command;
      const create = async () => {
        const key = await storage.createApiKey({ name, scopes, now });
        try {
          await register?.add({ keyId: key.keyId, name });
        } catch (error) {
          // A key that the gateway does not know gets nowhere: better none than one that never works.
          await storage.revokeApiKey(key.keyId, { now });
          throw error;
        }
        return key;
      };
      const made = ({ keyId }: { readonly keyId: string }) => ({ keyId });
      const entry = { action: "key.create", fields: { name, scopes }, made, ...(await onRecord()) } as const;
      const key = await auditedCommand(entry, create);
      return {
        text: `Made ${key.keyId} for ${name} (${scopes.join(", ")}) on ${place.name}. This is shown once:\n\n  ${key.secret}\n\nSend it in the header X-API-KEY.`,
        value: { keyId: key.keyId, name, scopes, secret: key.secret },
      };
    }
    case "list": {
      const keys = await storage.listApiKeys();
      return { text: keys.length === 0 ? `${place.name} has no keys yet.` : tableOf(keys), value: keys };
    }
    case "rotate": {
      const { keyId, graceSeconds } = command;
      const targets = { keyId };
      const entry = {
        action: "key.rotate",
        targets,
        fields: { graceSeconds },
        ...(await onRecord()),
      } as const;
      const { secret } = await auditedCommand(entry, () =>
        storage.rotateApiKey(keyId, { graceSeconds, now }),
      );
      const validUntil = new Date(now.getTime() + graceSeconds * 1000).toISOString();
      return {
        text: `${keyId} has a new secret on ${place.name}; the old one works until ${validUntil}. This is shown once:\n\n  ${secret}`,
        value: { keyId, secret, oldValidUntil: validUntil },
      };
    }
    case "revoke": {
      const { keyId } = command;
      const entry = { action: "key.revoke", targets: { keyId }, ...(await onRecord()) } as const;
      const key = await auditedCommand(entry, async () => {
        const revoked = await storage.revokeApiKey(keyId, { now });
        await register?.remove(keyId);
        return revoked;
      });
      return {
        text: `Revoked ${key.keyId} (${key.name}) on ${place.name}. Within ${authorizerCacheSeconds} seconds no call gets through with it.`,
        value: key,
      };
    }
  }
};

const tableOf = (keys: readonly ApiKey[]): string => {
  const rows = [
    ["KEY", "NAME", "SCOPES", "MADE", "ROTATED", "REVOKED"],
    ...keys.map(({ keyId, name, scopes, createdAt, rotatedAt, revokedAt }) => [
      keyId,
      name,
      scopes.join(","),
      createdAt.slice(0, 10),
      rotatedAt?.slice(0, 10) ?? "-",
      revokedAt?.slice(0, 10) ?? "-",
    ]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
};
