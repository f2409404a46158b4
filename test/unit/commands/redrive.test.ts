import { describe, expect, it } from "vitest";
import { help, parseRedriveArguments } from "../../../commands/redrive/arguments.ts";
import { deadLetterKinds, kindOfQueue } from "../../../commands/redrive/dead-letter-kinds.ts";
import { resourcesOf, templateOf } from "../../infra/synthesized.ts";

describe("the redrive command", () => {
  it("changes nothing unless it is told to", () => {
    expect(parseRedriveArguments([])).toMatchObject({ yes: false, queue: undefined, json: false });
    expect(parseRedriveArguments(["--queue", "exports", "--yes"])).toMatchObject({
      yes: true,
      queue: "exports",
    });
    expect(parseRedriveArguments(["--table", "t", "--queue-prefix", "Mine-"])).toMatchObject({
      queuePrefix: "Mine-",
    });
    expect(parseRedriveArguments(["--help"])).toBe("help");
    for (const { name } of deadLetterKinds) expect(help).toContain(name);
  });

  it.each([
    [["--queue", "letters"], "There is no queue letters. Queues: code-files"],
    [["--table", "t"], "--queue-prefix"],
    [["exports"], "exports"],
    [["--force"], "--force"],
  ])("refuses %j and says what is wrong", (given, sentence) => {
    expect(() => parseRedriveArguments(given)).toThrow(sentence);
  });

  it("knows every queue of dead letters that the stack has", () => {
    const queues = [...resourcesOf(templateOf("prod"))]
      .filter(([id, { Type }]) => Type === "AWS::SQS::Queue" && id.includes("DeadLetters"))
      .map(([id]) => id);

    const unknown = queues.filter(
      (id) => kindOfQueue(`Codewell-prod-${id}-x`, "Codewell-prod-") === undefined,
    );

    expect(queues.length).toBeGreaterThanOrEqual(5);
    expect(unknown).toEqual([]);
  });
});
