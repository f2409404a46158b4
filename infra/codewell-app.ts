import { App, Validations } from "aws-cdk-lib";
import recommendedFlags from "aws-cdk-lib/recommended-feature-flags.json" with { type: "json" };
import { AwsSolutionsChecks, ServerlessChecks } from "cdk-nag";
import { CodewellStack } from "./codewell-stack.ts";
import { stackName, stageSettings } from "./stages.ts";

export interface CodewellAppOptions {
  /** Folder with one built folder per function. */
  readonly bundles: string;
  /**
   * Name of the stage.
   * @default `--context stage=…` of the CDK's command line, else dev
   */
  readonly stage?: string;
  /**
   * Folder that `synth()` writes the template and the assets to.
   * @default what the CDK's command line says, else a temporary folder
   */
  readonly directory?: string;
  /**
   * Whether `synth()` fails on findings of cdk-nag (AwsSolutions, Serverless) and of the CDK's own rules. They take
   * seconds: the local service, which starts a stack that was checked before, goes without.
   * @default true
   */
  readonly checks?: boolean;
}

/** The app, with the one stack of one stage. */
export class CodewellApp extends App {
  readonly stack: CodewellStack;

  constructor({ bundles, stage, directory, checks = true }: CodewellAppOptions) {
    super({
      // What the pinned CDK recommends for new apps. Set here and not in cdk.json, so that the command line, the tests
      // and the local service make the same template.
      context: {
        ...recommendedFlags,
        // As the command line does: the local service finds the bundles by this.
        "aws:cdk:enable-asset-metadata": true,
        "aws:cdk:enable-path-metadata": true,
      },
      analyticsReporting: false,
      builtinCloudFormationValidation: checks,
      ...(directory === undefined ? {} : { outdir: directory }),
    });
    const settings = stageSettings(stage ?? this.node.tryGetContext("stage") ?? "dev");
    this.stack = new CodewellStack(this, stackName(settings.name), { settings, bundles });
    if (checks) Validations.of(this).addPlugins(new AwsSolutionsChecks(this), new ServerlessChecks(this));
  }
}
