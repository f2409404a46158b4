import { describe, expect, it } from "vitest";
import { deliveredExample, type EventName, eventNames, events } from "../../../shared/contract/events.ts";
import * as made from "../../../shared/domain/service-events.ts";

type Told<Name extends EventName> = Parameters<(typeof made)[Uncapitalize<Name>]>[0];

/** The example of the contract without what the event's maker adds to it. */
const toldIn = <Name extends EventName>(name: Name): Told<Name> => {
  const { version, eventId, message, ...told } = deliveredExample(name).detail;
  return told as unknown as Told<Name>;
};

/** What the contract shows is what the service says: ids, sentences and all. */
describe("an event", () => {
  it.each([
    ["PoolLow", () => made.poolLow(toldIn("PoolLow"), 1)],
    ["DefaultCodesGiven", () => made.defaultCodesGiven(toldIn("DefaultCodesGiven"), 3)],
    ["PoolDry", () => made.poolDry(toldIn("PoolDry"), 2)],
    ["CodeFileLoaded", () => made.codeFileLoaded(toldIn("CodeFileLoaded"))],
    ["CodeFileFailed", () => made.codeFileFailed(toldIn("CodeFileFailed"))],
    ["ExportReady", () => made.exportReady(toldIn("ExportReady"))],
    ["ExportFailed", () => made.exportFailed(toldIn("ExportFailed"))],
    ["AudienceReady", () => made.audienceReady(toldIn("AudienceReady"))],
    ["AudienceFailed", () => made.audienceFailed(toldIn("AudienceFailed"))],
    ["DeadLetter", () => made.deadLetter(toldIn("DeadLetter"))],
  ] as const)("%s is made as the contract shows it", (name, make) => {
    const event = make();

    expect(event.name).toBe(name);
    expect(event.detail).toEqual(deliveredExample(name).detail);
    expect(events[name].detail.parse(event.detail)).toEqual(event.detail);
  });

  it("is in the list above whatever its name", () => {
    const makers = Object.keys(made).map((maker) => maker.charAt(0).toUpperCase() + maker.slice(1));

    expect(makers.sort()).toEqual([...eventNames].sort());
  });

  it("of a threshold in percent says so", () => {
    const { detail } = made.poolLow({ ...toldIn("PoolLow"), by: "percent", threshold: 10 }, 1);

    expect(detail.message).toContain("its threshold of 10 percent is reached");
  });

  it("of a pool that refuses says that it does", () => {
    const { detail } = made.poolDry({ ...toldIn("PoolDry"), onExhausted: "refuse" }, 1);

    expect(detail.message).toContain("customers are refused from now on");
  });

  it.each([
    [0, "and the pool suffices"],
    [1200, "1,200 of whom would find the pool dry"],
  ])("of a preview with %i missing says %s", (missing, sentence) => {
    const { detail } = made.audienceReady({ ...toldIn("AudienceReady"), mode: "preview", missing });

    expect(detail.message).toContain(sentence);
  });
});
