import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { functionFolders } from "../../infra/function-folders.ts";

/** A folder of tiny bundles that never change, so that the stack can be looked at without building anything. */
export function placeholderBundles(): string {
  const bundles = mkdtempSync(join(tmpdir(), "codewell-bundles-"));
  for (const folder of functionFolders) {
    mkdirSync(join(bundles, folder));
    writeFileSync(join(bundles, folder, "handler.mjs"), "export const handler = async () => undefined;\n");
  }
  return bundles;
}
