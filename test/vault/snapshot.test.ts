import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { limits } from "../../vault/limits.ts";
import {
  encodeSnapshot,
  openSnapshot,
  parseSnapshotHeader,
  type SnapshotBody,
} from "../../vault/snapshot.ts";
import { nobleSeal } from "./nobleSeal.ts";
import { bytesOf, mutated, outcome, sampleKeys, sampleSecrets } from "./sampleVault.ts";

const keys = sampleKeys();
const header = {
  flags: { incomplete: false },
  group: 3,
  deviceId: bytesOf("device", 16),
  itemId: bytesOf("item", 16),
  sequence: 7,
  previous: bytesOf("previous", 32),
  root: bytesOf("root", 32),
};
const body: SnapshotBody = {
  time: "2026-03-04T05:06:07.89+01:00",
  device: "laptop",
  item: "home",
  host: "laptop.example",
  paths: ["/home/zoë", "/srv/\\xff"],
  files: 3,
  dirs: 2,
  others: 1,
  bytes: 2 ** 52,
  warnings: 0,
  agent: "0.1.0",
  chunker: "fastcdc-1",
  features: { read: [] },
};
const iv = bytesOf("iv", 16);
const sealed = encodeSnapshot({ keys, header, body, iv });

/** The object with another body text, properly sealed. */
function withBody(text: string, plainLength = Buffer.byteLength(text)): Buffer {
  const clear = Buffer.from(sealed.bytes.subarray(0, 156));
  clear.writeUInt32LE(Buffer.byteLength(text) + 4, 152);
  return nobleSeal(keys.sealKeys(2), iv, clear, plainLength, Buffer.from(text));
}

test("survives, and its id is the hash of its bytes", () => {
  const opened = openSnapshot(keys, sealed.bytes);
  expect(opened.body).toEqual(body);
  expect(opened.header).toEqual({ ...header, keyEpoch: 2, vaultId: sampleSecrets.vaultId });
  expect(parseSnapshotHeader(sealed.bytes)).toEqual(opened.header);
  expect(opened.id).toEqual(createHash("sha256").update(sealed.bytes).digest());
  expect(sealed.id).toEqual(opened.id);
});

test("any header survives", () => {
  const bytes = (length: number) =>
    fc.uint8Array({ minLength: length, maxLength: length }).map((b) => Buffer.from(b));
  const headers = fc.record({
    flags: fc.record({ incomplete: fc.boolean() }),
    group: fc.integer({ min: 0, max: 0xffff_ffff }),
    deviceId: bytes(16),
    itemId: bytes(16),
    sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    previous: bytes(32),
    root: bytes(32),
  });
  fc.assert(
    fc.property(headers, fc.array(fc.string()), fc.integer({ min: 1 }), (any, paths, portion) => {
      const opened = openSnapshot(
        keys,
        encodeSnapshot({ keys, header: any, body: { ...body, paths, portion } }).bytes,
      );
      expect(opened.body.portion).toBe(portion);
      expect(opened.header).toMatchObject(any);
      expect(opened.body.paths).toEqual(paths);
    }),
  );
});

test("is sealed as the independent implementation seals it", () => {
  const text = Buffer.from(JSON.stringify(body));
  const again = nobleSeal(keys.sealKeys(2), iv, sealed.bytes.subarray(0, 156), text.length, text);
  expect(sealed.bytes.equals(again)).toBe(true);
});

describe("refusals", () => {
  test("every flipped byte and every truncation", () => {
    for (let at = 0; at < sealed.bytes.length; at++) {
      const altered = Buffer.from(sealed.bytes);
      altered[at]! ^= 1;
      expect(
        outcome(() => openSnapshot(keys, altered)),
        `byte ${at}`,
      ).not.toBe("ok");
      expect(outcome(() => openSnapshot(keys, sealed.bytes.subarray(0, at)))).toBe("truncated");
    }
    expect(outcome(() => openSnapshot(keys, Buffer.concat([sealed.bytes, Buffer.alloc(1)])))).toBe("corrupt");
  });

  test.each<[string, (bytes: Buffer) => void, string]>([
    ["magic", (b) => b.write("HFr1", 0, "latin1"), "corrupt"],
    ["version", (b) => b.writeUInt8(2, 4), "unsupported"],
    ["flag", (b) => b.writeUInt8(2, 5), "corrupt"],
    ["reserved field", (b) => b.writeUInt16LE(1, 6), "corrupt"],
    ["epoch", (b) => b.writeUInt32LE(0, 8), "corrupt"],
    ["sequence 0", (b) => b.writeBigUInt64LE(0n, 64), "corrupt"],
    ["sequence 2^53", (b) => b.writeBigUInt64LE(2n ** 53n, 64), "corrupt"],
    ["sealed length below its minimum", (b) => b.writeUInt32LE(3, 152), "corrupt"],
    [
      "sealed length over the limit",
      (b) => b.writeUInt32LE(5 + limits.snapshotBodyBytesMax, 152),
      "limit-exceeded",
    ],
  ])("a bad %s, without any key", (_, patch, code) => {
    const bytes = Buffer.from(sealed.bytes);
    patch(bytes);
    expect(outcome(() => parseSnapshotHeader(bytes))).toBe(code);
  });

  test("keys of another vault or without the epoch", () => {
    const elsewhere = new VaultKeys({ ...sampleSecrets, vaultId: bytesOf("another vault", 16) });
    expect(outcome(() => openSnapshot(elsewhere, sealed.bytes))).toBe("key-wrong");
    const old = new VaultKeys({
      ...sampleSecrets,
      epochs: new Map([[1, bytesOf("a1", 32)]]),
      currentEpoch: 1,
    });
    expect(outcome(() => openSnapshot(old, sealed.bytes))).toBe("key-wrong");
  });

  test("well-sealed bodies that are not one", () => {
    const opened = (change: Record<string, unknown>) =>
      outcome(() => openSnapshot(keys, withBody(JSON.stringify({ ...body, ...change }))));
    expect(opened({ note: "unknown members are ignored" })).toBe("ok");
    expect(opened({ features: undefined })).toBe("ok");
    expect(opened({ features: { read: ["partial-1"] } })).toBe("unsupported");
    expect(opened({ time: "yesterday" })).toBe("corrupt");
    expect(opened({ files: -1 })).toBe("corrupt");
    expect(opened({ bytes: 1.5 })).toBe("corrupt");
    expect(opened({ paths: "/" })).toBe("corrupt");
    expect(opened({ host: null })).toBe("corrupt");
    expect(opened({ program: { exit: null, signal: "SIGKILL", stopped: "max-bytes" } })).toBe("ok");
    expect(opened({ program: { exit: -1, signal: null } })).toBe("corrupt");
    expect(opened({ program: { exit: 0 } })).toBe("corrupt");
    expect(opened({ program: "ended" })).toBe("corrupt");
    expect(outcome(() => openSnapshot(keys, withBody("[]")))).toBe("corrupt");
    expect(outcome(() => openSnapshot(keys, withBody("{")))).toBe("corrupt");
    expect(outcome(() => openSnapshot(keys, withBody(JSON.stringify(body), 5)))).toBe("corrupt");
  });

  test("random and mutated bytes, in a typed way", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), mutated(sealed.bytes)), (bytes) => {
        outcome(() => parseSnapshotHeader(bytes));
        if (outcome(() => openSnapshot(keys, bytes)) === "ok") expect(sealed.bytes.equals(bytes)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test("the writer does not make what the format does not allow", () => {
    const encode =
      (change: Partial<typeof header>, text = body) =>
      () =>
        encodeSnapshot({ keys, header: { ...header, ...change }, body: text });
    expect(encode({ sequence: 0 })).toThrow(RangeError);
    expect(encode({ root: Buffer.alloc(31) })).toThrow(RangeError);
    expect(encode({}, { ...body, paths: ["x".repeat(1 << 20)] })).toThrow(RangeError);
  });
});
