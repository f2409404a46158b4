import { formatNumber } from "../../bench/report/format.ts";
import { type Finding, rules } from "./findings.ts";
import type { PoolReport } from "./verify-pool.ts";

/** A pool's report in lines for people. */
export const reportText = (report: PoolReport): string => {
  const { promocodeId, method, generations, cells, codes, allocated, free, withdrawn } = report;
  const { atFirstHome, atSecondHome, byIntent, erased, consistent, varying } = report.holders;
  const lines = [
    `${promocodeId}, ${method}`,
    `  ${counted(generations, "file")}, ${counted(cells, "cell")}, ${counted(codes, "code")}: ${formatNumber(allocated)} allocated, ${formatNumber(free)} free, ${formatNumber(withdrawn)} withdrawn`,
    `  holders: ${formatNumber(atFirstHome)} at their first home, ${formatNumber(atSecondHome)} at their second, ${formatNumber(byIntent)} by intent, ${formatNumber(erased)} erased`,
  ];
  if (consistent > 0 && varying > 0)
    lines.push(
      `  the method was changed: ${formatNumber(consistent)} codes were given under Consistent, ${formatNumber(varying)} under Varying. Each holds by itself; a customer may have codes of both.`,
    );
  lines.push(
    ...(report.findings.length === 0 ? ["  nothing found"] : findingLines("FOUND", report.findings)),
    ...findingLines("perhaps", report.warnings),
  );
  return lines.join("\n");
};

const counted = (count: number, one: string): string =>
  `${formatNumber(count)} ${one}${count === 1 ? "" : "s"}`;

/** Findings by rule: what it means once, then each place. */
const findingLines = (label: string, findings: readonly Finding[]): readonly string[] => {
  const broken = new Set(findings.map(({ rule }) => rule));
  return [...broken].flatMap((broke) => [
    `  ${label} ${broke}: ${rules[broke]}`,
    ...findings.filter(({ rule }) => rule === broke).map(({ where, detail }) => `    ${where}: ${detail}`),
  ]);
};
