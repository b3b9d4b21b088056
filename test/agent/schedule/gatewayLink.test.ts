// The scheduler's way to its gateway, with a real one: what it knows outlasts the gateway and the process.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { parseItems, pathOutside, readDefinitions } from "../../../agent/schedule/definitionsFile.ts";
import { type Counted, GatewayLink } from "../../../agent/schedule/gatewayLink.ts";
import { ScheduleFile } from "../../../agent/schedule/scheduleFile.ts";
import { type Enrollment, writeEnrollment } from "../../../agent/state/enrollment.ts";
import { emptyDefinition } from "../../../ingest/schedule/itemDefinition.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { GatewayFixture } from "../../gateway/gatewayFixture.ts";

const daily = { ...emptyDefinition(["/home"]), rules: ["daily at 02:00"] };
const { signal } = new AbortController();
let fixture: GatewayFixture;
let state: string;
let told: string[];
/** What an item holds; undefined where it cannot be counted. */
let holds: Counted | undefined;
let enrollment: Enrollment;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  const account = await fixture.account("anna");
  const device = await fixture.device(account, "laptop");
  enrollment = {
    ...{ format: "holdfast-agent", version: 1, vault: device.vault, token: device.token },
    gateway: { url: fixture.listening.url, fingerprint: fixture.fingerprint },
    account: { id: account.id, name: "anna" },
    device: { id: device.id, name: "laptop", group: device.group },
    ...{
      kdfIterations: 210_000,
      privateKey: Buffer.alloc(32, 7).toString("base64"),
      enrolled: "2026-11-26T00:00:00.000Z",
    },
  };
});
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "holdfast-link-"));
  writeEnrollment(state, enrollment);
  told = [];
  holds = undefined;
});
afterEach(() => {
  rmSync(state, { recursive: true, force: true });
});
afterAll(async () => {
  await fixture.remove();
});

function open(onlyBelow: string[] = []): { link: GatewayLink; file: ScheduleFile } {
  const file = new ScheduleFile(state);
  const tell = (event: string, { item = "" }: Readonly<Record<string, unknown>>) =>
    told.push(`${event} ${String(item)}`.trim());
  const now = (): Date => new Date();
  return {
    link: new GatewayLink({ state, line: {}, file, onlyBelow, now, tell, count: async () => holds }),
    file,
  };
}

const set = async (item: string, revision: number, definition: typeof daily | null) =>
  await fixture.administration.items.set({ account: "anna", device: "laptop", item, revision, definition });

test("definitions come, change and go, are said, and outlast a gateway that is away", async () => {
  const { link } = open();
  expect(await link.exchange(signal)).toBe(true);
  expect(link.items()).toEqual([]);
  expect(await link.exchange(signal)).toBe(false);
  await set("home", 0, daily);
  expect(await link.exchange(signal)).toBe(true);
  await set("home", 1, { ...daily, excludes: ["*"] });
  await set("mail", 0, daily);
  await link.exchange(signal);
  expect(told).toEqual(["item-added home", "item-changed home", "item-added mail"]);
  const known = link.items();
  writeEnrollment(state, { ...enrollment, gateway: { ...enrollment.gateway, url: "https://127.0.0.1:1" } });
  const later = open().link;
  for (let n = 0; n < 3; n++) expect(await later.exchange(signal)).toBe(false);
  expect(later.items()).toEqual(known);
  expect(told.slice(3)).toEqual(["gateway-not-asked"]);
  writeEnrollment(state, enrollment);
  expect(await later.exchange(signal)).toBe(false);
  expect(told.at(-1)).toBe("gateway-is-back");
  await set("home", 2, null);
  await set("mail", 1, null);
  await later.exchange(signal);
  expect(told.slice(-2)).toEqual(["item-removed home", "item-removed mail"]);
  expect(readDefinitions(state)?.items).toEqual([]);
  writeFileSync(join(state, "definitions.json"), "{");
  expect(open().link.items()).toEqual([]);
  rmSync(state, { recursive: true });
});

test("what this machine does not allow is not obeyed, and the gateway is told; so is what failed", async () => {
  const { link, file } = open(["/home", "/srv/"]);
  await set("inside", 0, { ...daily, paths: ["/home/anna", "/srv"] });
  await set("outside", 0, { ...daily, paths: ["/home", "/homes"] });
  await link.exchange(signal);
  expect(link.items().map(({ name }) => name)).toEqual(["inside"]);
  expect(told).toEqual(["item-added inside", "item-added outside", "item-refused outside"]);
  expect(file.untold()).toEqual([]);
  expect(await fixture.administration.items.list({ item: "outside" })).toMatchObject([
    { report: { outcome: "failed", code: "forbidden", message: expect.stringContaining("/homes") } },
  ]);
  // What nobody could be told goes with the item.
  file.toTell("gone", {
    due: "2026-11-26T02:00:00.000Z",
    outcome: "missed",
    code: ErrorCode.cancelled,
    message: "x",
  });
  await link.exchange(signal);
  expect(new ScheduleFile(state).untold()).toEqual([]);
  rmSync(state, { recursive: true });
});

test.each([
  ["/home", ["/home"], true],
  ["/home/", ["/home"], true],
  ["//home//a/.", ["/home/"], true],
  ["/homes", ["/home"], false],
  ["/", ["/home"], false],
  ["/etc", ["/"], true],
  ["/home", [], true],
])("%s is within %j: %s", (path, folders, inside) => {
  expect(pathOutside([path], folders)).toBe(inside ? undefined : path);
});

test("any answer is taken, refused, or told apart item by item", () => {
  const good = { id: "0".repeat(32), name: "home", revision: 1, definition: daily };
  expect(
    parseItems({
      items: [
        good,
        { ...good, name: "../x" },
        { ...good, name: "mail", definition: { ...daily, rules: ["?"] } },
      ],
    }),
  ).toEqual({
    items: [good],
    estimates: [],
    not: [
      { name: undefined, why: expect.stringContaining("names are") },
      { name: "mail", why: expect.stringContaining("column 1") },
    ],
  });
  const member = fc.constantFrom(...Object.keys(daily), "name", "id", "revision");
  fc.assert(
    fc.property(fc.jsonValue(), member, (value, name) => {
      const changed =
        name in daily ? { ...good, definition: { ...daily, [name]: value } } : { ...good, [name]: value };
      const { items, not } = parseItems({ items: [changed] });
      expect(items.length + not.length).toBe(1);
      try {
        parseItems(value);
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
      }
    }),
    { numRuns: 300 },
  );
});

test("what a first backup will hold is counted when the gateway would like to know, by each definition, until there is a snapshot", async () => {
  const listed = async () =>
    (await fixture.administration.items.list({ account: "anna", item: "photos" })).map(
      ({ estimate }) => estimate,
    );
  await set("photos", 0, daily);
  const { link } = open();
  await link.exchange(signal);
  await link.estimate(signal);
  expect(await listed()).toEqual([null]);
  // Another start asks nothing that it knows, and remembers what was wished.
  holds = { files: 3, bytes: 4000, complete: true };
  const { link: again } = open();
  expect(await again.exchange(signal)).toBe(false);
  await again.estimate(signal);
  const at = expect.any(String);
  expect(await listed()).toEqual([{ ...holds, revision: 1, at }]);
  expect(told.filter((line) => line === "estimated photos")).toHaveLength(1);
  await again.exchange(signal);
  await again.estimate(signal);
  expect(told.filter((line) => line === "estimated photos")).toHaveLength(1);

  await set("photos", 1, { ...daily, excludes: ["*.tmp"] });
  expect(await listed()).toEqual([null]);
  await again.exchange(signal);
  // It is changed once more while it is counted.
  await set("photos", 2, daily);
  await again.estimate(signal);
  expect(told).toContain("estimate-not-told photos");
  expect(await listed()).toEqual([null]);
  holds = { files: 9, bytes: 10, complete: false };
  await again.exchange(signal);
  await again.estimate(signal);
  expect(await listed()).toEqual([{ ...holds, revision: 3, at }]);
  await set("photos", 3, null);
  await set("photos", 0, daily);
  expect(await listed()).toEqual([null]);
});
