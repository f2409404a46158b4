import { describe, expect, it } from "vitest";
import { deployRequest, failureHint, nextSteps } from "../../infra/deploy-guide.ts";

describe("npm run deploy", () => {
  it.each([
    ["--context", "stage=dev"],
    ["--context=stage=dev"],
    ["-c", "stage=dev"],
    ["-c", "stage=prod", "-c", "stage=dev"],
    ["--require-approval", "never", "-c", "other=1", "-c", "stage=dev"],
  ])("finds the stage in %s %s %s %s and passes all of it on", (...given) => {
    expect(deployRequest(given)).toEqual({ stage: "dev", cdkArguments: given });
  });

  it.each([[[]], [["stage=dev"]], [["--context", "other=dev"]], [["--context"]]])(
    "asks for the stage when given %j",
    (given) => {
      expect(() => deployRequest(given)).toThrow(
        "Say which stage to deploy: npm run deploy -- --context stage=dev or prod",
      );
    },
  );

  it("refuses a stage that there is not, and the one that is this machine", () => {
    expect(() => deployRequest(["-c", "stage=test"])).toThrow('There is no stage "test"');
    expect(() => deployRequest(["-c", "stage=local"])).toThrow("npm start");
  });

  it("ends with the address and how to make the first key", () => {
    const outputs = { "Codewell-dev": { ApiUrl: "https://x.example/dev", TableName: "t" }, Other: {} };

    const printed = nextSteps(outputs, "dev");

    expect(printed).toContain("Codewell (dev) answers at https://x.example/dev\n");
    expect(printed).toContain("npm run keys -- create --name first --scopes admin --stage dev\n");
    expect(printed).toContain("curl https://x.example/dev/health\n");
  });

  it("says so when the outputs are not those of the stage", () => {
    expect(() => nextSteps({ "Codewell-dev": { ApiUrl: "https://x.example" } }, "prod")).toThrow(
      "does not tell the ApiUrl of Codewell-prod",
    );
  });

  it.each([
    ["Unable to resolve AWS account to use. It must be either configured when you define ...", "Sign in"],
    ["Need to perform AWS calls for account 1, but no credentials have been configured", "Sign in"],
    ["The security token included in the request is expired", "Sign in"],
    ["This CDK deployment requires bootstrap stack version '6'", "npx cdk bootstrap"],
    ["Unable to determine default region", "Set AWS_REGION"],
  ])("tells what to do about: %s", (printed, advice) => {
    expect(failureHint(printed)).toContain(advice);
  });

  it("leaves a failure that speaks for itself alone", () => {
    expect(failureHint("Codewell-dev | UPDATE_FAILED | Resource limit exceeded")).toBeUndefined();
  });
});
