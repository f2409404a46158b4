import {
  APIGatewayClient,
  CreateApiKeyCommand,
  CreateUsagePlanKeyCommand,
  DeleteApiKeyCommand,
  GetApiKeysCommand,
} from "@aws-sdk/client-api-gateway";

/** Tells the gateway about keys: only those in its usage plan get through, each with its own rate limit. */
export class KeyRegister {
  readonly #client: APIGatewayClient;
  readonly #usagePlanId: string;

  constructor({ usagePlanId, region }: { readonly usagePlanId: string; readonly region: string }) {
    this.#client = new APIGatewayClient({ region });
    this.#usagePlanId = usagePlanId;
  }

  /**
   * Enters a key. Its value in the gateway is our key's id, which the authorizer answers as `usageIdentifierKey`; the
   * secret is never known to the gateway.
   */
  async add({ keyId, name }: { readonly keyId: string; readonly name: string }): Promise<void> {
    const { id } = await this.#client.send(
      new CreateApiKeyCommand({ name: keyId, value: keyId, description: name, enabled: true }),
    );
    await this.#client.send(
      new CreateUsagePlanKeyCommand({ usagePlanId: this.#usagePlanId, keyId: id, keyType: "API_KEY" }),
    );
  }

  /** Strikes a key out. One that is not entered is no error. */
  async remove(keyId: string): Promise<void> {
    // `nameQuery` finds by prefix, and all of these ids are of one length.
    const { items } = await this.#client.send(new GetApiKeysCommand({ nameQuery: keyId }));
    for (const { id, name } of items ?? [])
      if (name === keyId) await this.#client.send(new DeleteApiKeyCommand({ apiKey: id }));
  }
}
