// Which snapshot a first backup compares with.

import { expect, test } from "vitest";
import { chooseReference, type ReferenceWish } from "../../../agent/backup/reference.ts";
import type { SnapshotRow } from "../../../ingest/wire/messages.ts";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { encodeSnapshot } from "../../../vault/snapshot.ts";
import { testKeys } from "./memoryGateway.ts";

type Given = {
  readonly paths?: readonly string[];
  readonly host?: string;
  readonly item?: string;
  readonly group?: number;
  readonly incomplete?: boolean;
  readonly itemId?: string;
};

/** Snapshots in the order in which the gateway lists them: each is named by its number. */
class Listed {
  opened = 0;
  readonly #rows: SnapshotRow[] = [];
  readonly #objects = new Map<string, Buffer>();

  constructor(given: readonly Given[]) {
    for (const [
      index,
      { paths = ["/home"], host = "other", item = "other", group = 0, ...rest },
    ] of given.entries()) {
      const itemId = rest.itemId ?? (index + 1).toString(16).padStart(32, "0");
      const deviceId = "dd".repeat(16);
      const { bytes, id } = encodeSnapshot({
        keys: testKeys,
        header: {
          flags: { incomplete: rest.incomplete ?? false },
          group,
          deviceId: fromHex(deviceId, 16),
          itemId: fromHex(itemId, 16),
          sequence: 1,
          previous: Buffer.alloc(32),
          root: Buffer.alloc(32, index + 1),
        },
        body: {
          time: "2026-01-01T00:00:00Z",
          device: "x",
          item,
          host,
          paths,
          files: 1,
          dirs: 1,
          others: 0,
          bytes: 1,
          warnings: 0,
          agent: "test",
          chunker: "fastcdc-1",
          features: { read: [] },
        },
      });
      this.#objects.set(toHex(id), bytes);
      this.#rows.push({
        id: toHex(id),
        vault: toHex(testKeys.vaultId),
        deviceId,
        device: `${index}`,
        itemId,
        item,
        group,
        sequence: 1,
        received: "2026-01-01T00:00:00Z",
        incomplete: rest.incomplete ?? false,
      });
    }
  }

  /** The number of the chosen one. */
  async choose(wish: Partial<ReferenceWish> = {}): Promise<number | undefined> {
    const chosen = await chooseReference({
      session: {
        group: 0,
        itemId: "ee".repeat(16),
        newestSnapshots: async () => this.#rows,
        snapshotObject: async (id) => {
          this.opened += 1;
          return this.#objects.get(id) as Buffer;
        },
      },
      keys: testKeys,
      item: "files",
      paths: [Buffer.from("/home")],
      host: "here",
      ...wish,
    });
    if (chosen === undefined) return undefined;
    expect([...chosen.root]).toEqual([...Buffer.alloc(32, Number(chosen.device) + 1)]);
    return Number(chosen.device);
  }
}

test.each<[string, readonly Given[], number | undefined]>([
  ["none that has no path in common", [{ paths: ["/srv"] }, { paths: ["/homes"] }], undefined],
  ["the newest of equals", [{}, {}, {}], 0],
  ["one that has all before one that has a part", [{ paths: ["/home/ann"] }, { paths: ["/"] }], 1],
  ["one that has a part before none", [{ paths: ["/srv"] }, { paths: ["/home/ann"] }], 1],
  ["this machine's former self", [{}, { host: "here" }, { item: "files" }], 1],
  ["the item of the same name", [{}, { item: "files" }], 1],
  ["paths before names", [{ paths: ["/home/ann"], host: "here", item: "files" }, {}], 1],
  ["no other group's", [{ group: 1 }, { group: 2 }], undefined],
  ["no incomplete one, and not its own", [{ incomplete: true }, { itemId: "ee".repeat(16) }], undefined],
])("chooses %s", async (_, given, expected) => {
  expect(await new Listed(given).choose()).toBe(expected);
});

test("opens a bounded number, those of the same name first", async () => {
  const given: Given[] = Array.from({ length: 200 }, () => ({}));
  given[150] = { item: "files" };
  given[199] = { host: "here" };
  const listed = new Listed(given);
  expect(await listed.choose()).toBe(150);
  expect(listed.opened).toBe(64);
});

test("counts all the paths", async () => {
  const listed = new Listed([
    { paths: ["/home"] },
    { paths: ["/etc", "/home/ann"] },
    { paths: ["/etc", "/home"] },
  ]);
  const paths = ["/etc", "/home"].map((path) => Buffer.from(path));
  expect(await listed.choose({ paths })).toBe(2);
});
