/** What a code was handed out for. Stored once per promocode; a slot carries only its short id. */
export interface AllocationContext {
  readonly occurenceId: string | null;
  readonly seriesId: string | null;
  readonly actionId: string | null;
}

export const noContext: AllocationContext = { occurenceId: null, seriesId: null, actionId: null };
