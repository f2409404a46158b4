// A process of its own: see create-first-key.ts. Prints the secret of a key with all scopes, and nothing else.
import { scopes } from "../shared/contract/route.ts";
import { createApiKey } from "../shared/storage/api-keys.ts";

const { secret } = await createApiKey({ name: "local", scopes, now: new Date() });
process.stdout.write(`${secret}\n`);
