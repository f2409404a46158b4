import { CfnWebACL, CfnWebACLAssociation } from "aws-cdk-lib/aws-wafv2";
import { Construct } from "constructs";

export interface FirewallProps {
  /** The API's stage. */
  readonly stageArn: string;
  /** Most requests from one address within five minutes. */
  readonly requestsPerAddress: number;
}

/**
 * Of Amazon's common rules, those that would refuse what the contract allows: bodies of more than 8 KB, which a batch
 * has; callers without a User-Agent, as servers are; addresses and markup in a promotion's metadata; ids in a path that
 * are long or look like a file's name. They only count
 * (docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html).
 */
const onlyCounted = [
  "SizeRestrictions_BODY",
  "NoUserAgent_HEADER",
  "GenericRFI_BODY",
  "GenericLFI_BODY",
  "EC2MetaDataSSRF_BODY",
  "CrossSiteScripting_BODY",
  "SizeRestrictions_URIPATH",
  "RestrictedExtensions_URIPATH",
];

/** AWS WAF in front of the API. Whom it refuses gets the gateway's 403 in the contract's words. */
export class Firewall extends Construct {
  constructor(scope: Construct, id: string, { stageArn, requestsPerAddress }: FirewallProps) {
    super(scope, id);
    const rules = new CfnWebACL(this, "Rules", {
      description: "Codewell: common rules, and a limit for each address",
      scope: "REGIONAL",
      defaultAction: { allow: {} },
      visibilityConfig: seenAs("Firewall"),
      rules: [
        {
          name: "RequestsPerAddress",
          priority: 0,
          action: { block: {} },
          statement: {
            rateBasedStatement: {
              aggregateKeyType: "IP",
              limit: requestsPerAddress,
              evaluationWindowSec: 300,
            },
          },
          visibilityConfig: seenAs("RequestsPerAddress"),
        },
        {
          name: "CommonRules",
          priority: 1,
          overrideAction: { none: {} },
          statement: {
            managedRuleGroupStatement: {
              vendorName: "AWS",
              name: "AWSManagedRulesCommonRuleSet",
              ruleActionOverrides: onlyCounted.map((name) => ({ name, actionToUse: { count: {} } })),
            },
          },
          visibilityConfig: seenAs("CommonRules"),
        },
      ],
    });
    new CfnWebACLAssociation(this, "AtTheApi", { resourceArn: stageArn, webAclArn: rules.attrArn });
  }
}

/** Counted, but neither sampled nor logged: both keep paths, and a path can hold a customer's id. */
const seenAs = (metricName: string) => ({
  metricName,
  cloudWatchMetricsEnabled: true,
  sampledRequestsEnabled: false,
});
