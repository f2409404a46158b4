import { describe, expect, it } from "vitest";
import * as z from "zod";
import { auditActions } from "../../../shared/contract/audit.ts";
import type { Route } from "../../../shared/contract/route.ts";
import { routes } from "../../../shared/contract/routes.ts";

/** Handing out a code is on record by itself: the allocation says who, when and for what. */
const onRecordByThemselves = ["allocateCode", "allocateCodes"];

const all = Object.entries<Route>(routes).map(([name, route]) => ({ name, route }));
const audited = all.filter(({ route }) => route.audit !== undefined);

describe("the audit trail", () => {
  it("holds every change that a call can make, and nothing else", () => {
    const changing = all.filter(({ route }) => route.method !== "GET").map(({ name }) => name);

    expect([...audited.map(({ name }) => name), ...onRecordByThemselves].sort()).toEqual(changing.sort());
  });

  it("tells changes apart: only the two kinds of exports share a name", () => {
    const actions = audited.map(({ route }) => route.audit);
    const shared = actions.filter((action, at) => actions.indexOf(action) !== at);

    expect(shared).toEqual(["export.request"]);
    expect(auditActions).toEqual(expect.arrayContaining(actions));
  });

  it.each(audited)("can be written by $name", ({ route }) => {
    expect(route.needs.table).toEqual(expect.arrayContaining(["PutItem", "UpdateItem"]));
  });

  it.each(audited)("does not get to know a customer from the body of $name", ({ route }) => {
    const body = route.body ? JSON.stringify(z.toJSONSchema(route.body, { io: "input" })) : "";

    expect(body).not.toMatch(/"customer/i);
  });

  it("is for admins alone", () => {
    expect(routes.listAuditEntries.scopes).toEqual([]);
  });
});
