import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type IndexEnvironment, openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { PackTable } from "../../../gateway/index/packTable.ts";
import { bytesCodec, jsonCodec, openTable } from "../../../gateway/index/table.ts";

let directory: string;
let environment: IndexEnvironment;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "holdfast-packs-"));
  environment = openIndexEnvironment(directory);
});
afterEach(async () => {
  await environment.close();
  rmSync(directory, { recursive: true, force: true });
});

const nonce = (n: number) => new Uint8Array(16).fill(n);
const name = (n: number) => Uint8Array.from(createHash("sha256").update(String(n)).digest());

describe("PackTable", () => {
  it("follows a pack from open to closed, evicted and gone, across a reopen", async () => {
    let packs = new PackTable(environment);
    const first = packs.create("data", nonce(1));
    const second = packs.create("meta", nonce(2));
    expect([first, second]).toEqual([0, 1]);
    expect(packs.openPacks().map((row) => row.ordinal)).toEqual([0, 1]);
    packs.cover(first, 500);
    packs.cover(first, 400);
    packs.close(first, { name: name(1), bytes: 1000, records: 7 });
    await environment.close();
    environment = openIndexEnvironment(directory);
    packs = new PackTable(environment);
    const closed = { ordinal: 0, kind: "data", state: "closed", bytes: 1000, records: 7, coveredBytes: 500 };
    expect(packs.get(first)).toEqual({ ...closed, name: name(1), nonce: nonce(1) });
    expect(packs.ordinalOf(name(1))).toBe(first);
    expect(packs.openPacks()).toEqual([
      {
        ordinal: 1,
        kind: "meta",
        state: "open",
        bytes: 0,
        records: 0,
        coveredBytes: 0,
        name: undefined,
        nonce: nonce(2),
      },
    ]);
    packs.setState(first, "evicted");
    expect(packs.get(first)?.state).toBe("evicted");
    packs.uncoverAll();
    expect([...packs.all()].map((row) => row.coveredBytes)).toEqual([0, 0]);
    expect([packs.remove(first), packs.remove(first)]).toEqual([true, false]);
    expect([packs.get(first), packs.ordinalOf(name(1))]).toEqual([undefined, undefined]);
    expect(packs.create("data", nonce(3))).toBe(2);
  });

  it("refuses what would break a pack's identity", () => {
    const packs = new PackTable(environment);
    packs.create("data", nonce(1));
    packs.create("data", nonce(2));
    packs.close(0, { name: name(1), bytes: 1, records: 1 });
    expect(() => packs.close(0, { name: name(2), bytes: 1, records: 1 })).toThrow(/closed already/);
    expect(() => packs.close(1, { name: name(1), bytes: 1, records: 1 })).toThrow(/one name/);
    expect(() => packs.setState(1, "evicted")).toThrow(/still open/);
    expect(() => packs.cover(9, 1)).toThrow(/not in the pack table/);
  });
});

describe("IndexEnvironment and Table", () => {
  it("rolls all tables back together, also when a nested failure is swallowed", () => {
    const packs = new PackTable(environment);
    const heads = openTable(environment, "heads", bytesCodec);
    const key = Buffer.from("head");
    const attempt = () =>
      environment.write(() => {
        heads.put(key, Buffer.from("1"));
        packs.create("data", nonce(1));
        try {
          environment.write(() => {
            throw new Error("inner");
          });
        } catch {
          // the outer transaction must not commit half of what was meant
        }
      });
    expect(attempt).toThrow(/nested write failed/);
    expect([heads.has(key), packs.openPacks().length]).toEqual([false, 0]);
    expect(() => heads.put(key, key)).toThrow(/outside of a write/);
  });

  it("refuses asynchronous changes, whose end the transaction would not see", () => {
    const heads = openTable(environment, "heads", bytesCodec);
    expect(() => environment.write(async () => heads.put(Buffer.from("a"), Buffer.from("b")))).toThrow(
      /synchronous/,
    );
    expect(heads.has(Buffer.from("a"))).toBe(false);
  });

  it("lists ranges in byte order, both ways, while rows change", () => {
    const leases = openTable(environment, "leases", jsonCodec<{ n: number }>());
    const key = (n: number) => Buffer.from([0x10, n]);
    environment.write(() => {
      for (const n of [5, 0, 255, 7, 6]) leases.put(key(n), { n });
    });
    const numbers = (range: Parameters<typeof leases.entries>[0]) =>
      leases.entries(range).map(([, value]) => value.n);
    expect(numbers({})).toEqual([0, 5, 6, 7, 255]);
    expect(numbers({ start: key(5), end: key(7) })).toEqual([5, 6]);
    expect(numbers({ limit: 2 })).toEqual([0, 5]);
    expect(numbers({ reverse: true, limit: 2 })).toEqual([255, 7]);
    environment.write(() => {
      for (const [at] of leases.entries()) expect(leases.remove(at)).toBe(true);
    });
    expect(numbers({})).toEqual([]);
    expect(() => openTable(environment, "index-meta", bytesCodec)).toThrow(/reserved/);
  });
});
