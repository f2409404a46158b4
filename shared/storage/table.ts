/**
 * The one table: keys and attribute names of every item. No other file spells them; `docs/data-model.md` is the
 * guided tour. `#` separates parts; promocode and promotion ids never hold one, and a customer id always comes last.
 */

/** Names that the table's definition in `infra/` uses too. */
export const tableAttributes = {
  partitionKey: "pk",
  sortKey: "sk",
  /** Epoch seconds after which DynamoDB may remove the item. Readers filter: removal can take days. */
  timeToLive: "expiresAt",
} as const;

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

/** Where a cell is: the attempt is part of the key, so that a loader that lost its lock writes keys that nobody reads. */
export interface ShardAddress {
  readonly promocodeId: string;
  readonly generation: number;
  readonly attempt: number;
  readonly shard: number;
}

/** Sorts as numbers do, up to a million files of one promocode. */
const sixDigits = (value: number): string => String(value).padStart(6, "0");
const twoHexDigits = (value: number): string => value.toString(16).padStart(2, "0");

/** Starts every cell partition's key; the stream's filter in `infra/` reads it. */
export const cellPartitionPrefix = "c#";
/** Starts every default record's sort key; the stream's filter in `infra/` reads it. */
export const defaultGivenPrefix = "default#";
/** Starts every promocode partition's key; the stream's filter in `infra/` reads it. */
export const promocodePartitionPrefix = "promocode#";
/** Sort key of a promocode's settings; the stream's filter in `infra/` reads it. */
export const promocodeHead = "head";
/** Starts every generation's sort key; the stream's filter in `infra/` reads it. */
export const generationPrefix = "generation#";
/** Starts every customer partition's key. */
export const customerPartitionPrefix = "customer#";

export const prefixes = {
  generation: generationPrefix,
  codeFile: "file#",
  counts: "counts#",
  intent: "intent#",
  trace: "trace#",
  /** Of an audience's entry in its promocode's list: as its id begins. */
  audience: "aud_",
} as const;

/** Sort keys of a shard's cells lie in [first, last]; the shard's full set lies behind them. */
export const cellSortKeys = { first: "00", last: "ff" } as const;
export const cellSortKey = twoHexDigits;

export const partitions = {
  promotions: "promotions",
  promocodes: "promocodes",
  promocodesOf: (promotionId: string): string => `promotion#${promotionId}`,
  promocode: (promocodeId: string): string => `${promocodePartitionPrefix}${promocodeId}`,
  shard: ({ promocodeId, generation, attempt, shard }: ShardAddress): string =>
    `${cellPartitionPrefix}${promocodeId}#${generation}#${attempt}#${shard}`,
  customer: (customerId: string): string => `${customerPartitionPrefix}${customerId}`,
  audiencesOf: (promocodeId: string): string => `audiences#${promocodeId}`,
  apiKeys: "keys",
  /** `month` such as `2026-11`: no partition grows for ever. */
  auditOf: (month: string): string => `audit#${month}`,
} as const;

export const keys = {
  promotion: (promotionId: string): Key => ({ pk: partitions.promotions, sk: promotionId }),
  promocode: (promocodeId: string): Key => ({ pk: partitions.promocode(promocodeId), sk: promocodeHead }),
  promocodeEntry: (promocodeId: string): Key => ({ pk: partitions.promocodes, sk: promocodeId }),
  promocodeOfPromotion: (promotionId: string, promocodeId: string): Key => ({
    pk: partitions.promocodesOf(promotionId),
    sk: promocodeId,
  }),
  /** Global codes are unique regardless of case; by way of upper case, so that `ß` is `SS` and `ς` is `σ`. */
  globalCode: (code: string): Key => ({ pk: `code#${code.toUpperCase().toLowerCase()}`, sk: "code" }),
  generation: (promocodeId: string, generation: number): Key => ({
    pk: partitions.promocode(promocodeId),
    sk: `${prefixes.generation}${sixDigits(generation)}`,
  }),
  codeFile: (promocodeId: string, fileId: string): Key => ({
    pk: partitions.promocode(promocodeId),
    sk: `${prefixes.codeFile}${fileId}`,
  }),
  loadLock: (promocodeId: string): Key => ({ pk: partitions.promocode(promocodeId), sk: "lock" }),
  /** What was handed out of a file; `fileId` null: how many default codes the promocode gave. */
  counts: (promocodeId: string, fileId: string | null): Key => ({
    pk: partitions.promocode(promocodeId),
    sk: `${prefixes.counts}${fileId ?? "default"}`,
  }),
  /** What was told of the pool: that it is low, dry, gives default codes. */
  poolLevel: (promocodeId: string): Key => ({ pk: partitions.promocode(promocodeId), sk: "level" }),
  cell: (address: ShardAddress & { readonly cell: number }): Key => ({
    pk: partitions.shard(address),
    sk: twoHexDigits(address.cell),
  }),
  /** Hint: the full cells of a shard. */
  fullCells: (address: ShardAddress): Key => ({ pk: partitions.shard(address), sk: "full" }),
  /** Hint: the full shards of a block of 256. */
  fullShards: (promocodeId: string, generation: number, attempt: number, block: number): Key => ({
    pk: `f#${promocodeId}#${generation}#${attempt}`,
    sk: String(block),
  }),
  context: (promocodeId: string, contextId: string): Key => ({
    pk: `x#${promocodeId}#${contextId}`,
    sk: "context",
  }),
  intent: (promocodeId: string, customerId: string, trigger: string | null): Key => ({
    pk: partitions.customer(customerId),
    sk: `${prefixes.intent}${promocodeId}#${trigger ?? "-"}`,
  }),
  /** `which`: the call's trigger if it has one, else its time and chance. */
  defaultGiven: (promocodeId: string, customerId: string, which: string): Key => ({
    pk: partitions.customer(customerId),
    sk: `${defaultGivenPrefix}${promocodeId}#${which}`,
  }),
  /** A cell that an intent named which the erasure has removed. */
  trace: (promocodeId: string, customerId: string, address: string, erasureId: string): Key => ({
    pk: partitions.customer(customerId),
    sk: `${prefixes.trace}${promocodeId}#${address}#${erasureId}`,
  }),
  export: (exportId: string): Key => ({ pk: `export#${exportId}`, sk: "head" }),
  audience: (audienceId: string): Key => ({ pk: `audience#${audienceId}`, sk: "head" }),
  audienceOfPromocode: (promocodeId: string, audienceId: string): Key => ({
    pk: partitions.audiencesOf(promocodeId),
    sk: audienceId,
  }),
  erasure: (erasureId: string): Key => ({ pk: `erasure#${erasureId}`, sk: "head" }),
  apiKey: (keyId: string): Key => ({ pk: partitions.apiKeys, sk: keyId }),
  auditEntry: (month: string, auditId: string): Key => ({ pk: partitions.auditOf(month), sk: auditId }),
  /** `digest` stands for the caller's key id, the route and the Idempotency-Key. */
  idempotency: (digest: string): Key => ({ pk: `idempotency#${digest}`, sk: "head" }),
  cursorSecret: (): Key => ({ pk: "secrets", sk: "cursor" }),
} as const;
