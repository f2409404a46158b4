export const handler = async (event) => {
  const key = event.headers["X-API-KEY"] ?? event.headers["x-api-key"];
  if (key === "unknown") throw new Error("Unauthorized");
  const stage = event.methodArn.split("/").slice(0, 2).join("/");
  return {
    principalId: key,
    usageIdentifierKey: key,
    context: { scopes: "read", level: 3 },
    policyDocument: {
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: "execute-api:Invoke", Resource: `${stage}/GET/*` }],
    },
  };
};
