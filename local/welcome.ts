import pc from "picocolors";
import type { LocalService } from "./local-service.ts";

/** What a newcomer needs: where it is, the key, and the first three commands. */
export function welcome({ endpoints, logDirectory, eventsFile }: LocalService, seconds: number): string {
  const { apiUrl, apiKey, s3, dynamodb } = endpoints;
  const command = (comment: string, ...lines: string[]) => [pc.dim(`  # ${comment}`), ...lines, ""];
  const key = `-H "X-API-KEY: $KEY"`;
  return [
    "",
    `${pc.bold(pc.green("Codewell runs on this machine."))} ${pc.dim(`(ready in ${seconds.toFixed(1)} s)`)}`,
    "",
    `  ${pc.dim("API")}       ${pc.cyan(apiUrl)}`,
    `  ${pc.dim("Key")}       ${apiKey}`,
    `  ${pc.dim("S3")}        ${s3.endpoint}  ${pc.dim(`drop files into ${s3.uploadsBucket}/promocodes/<promocodeId>/, audiences into …/audiences/<promocodeId>/`)}`,
    `  ${pc.dim("DynamoDB")}  ${dynamodb.endpoint}  ${pc.dim(`table ${dynamodb.tableName}`)}`,
    `  ${pc.dim("Logs")}      ${logDirectory}`,
    `  ${pc.dim("Events")}    ${eventsFile}  ${pc.dim("and here, as they happen")}`,
    "",
    pc.bold("The first three commands:"),
    "",
    ...command(
      "a promotion",
      `  KEY=${apiKey}`,
      `  curl -s ${apiUrl}/v1/promotions ${key} -H 'Content-Type: application/json' \\`,
      `    -d '{"promotionId": "spring", "name": "Spring sale", "status": "active"}'`,
    ),
    ...command(
      "a promocode whose codes are unique",
      `  curl -s ${apiUrl}/v1/promocodes ${key} -H 'Content-Type: application/json' \\`,
      `    -d '{"promocodeId": "spring-codes", "promotionId": "spring", "type": "personalized"}'`,
    ),
    ...command(
      "a code for a customer: the default code, until the pool has a file",
      `  curl -s ${apiUrl}/v1/promocodes/spring-codes/allocations ${key} -H 'Content-Type: application/json' \\`,
      `    -d '{"customerId": "anna"}'`,
    ),
    pc.dim(`The whole API: ${apiUrl}/openapi.json    The guide: README.md    Stop: Ctrl-C`),
    "",
  ].join("\n");
}
