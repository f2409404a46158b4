/** What a handler answers: a status, a body of the route's schema and, for something new, where it is. */
export interface Answer<Body> {
  readonly status: 200 | 201 | 202;
  readonly body: Body;
  /** A path without the stage, such as `/v1/exports/exp_…`. */
  readonly location?: string;
}

export const ok = <Body>(body: Body): Answer<Body> => ({ status: 200, body });

export const created = <Body>(body: Body, location?: string): Answer<Body> => ({
  status: 201,
  body,
  ...(location !== undefined && { location }),
});

export const accepted = <Body>(body: Body, location?: string): Answer<Body> => ({
  status: 202,
  body,
  ...(location !== undefined && { location }),
});
