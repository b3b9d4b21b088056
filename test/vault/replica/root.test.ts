import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromHex } from "../../../vault/bytes.ts";
import {
  encodeRoot,
  gatewayRootKey,
  noPrevious,
  parseRoot,
  type Root,
  rootHash,
  vaultRootKey,
} from "../../../vault/replica/root.ts";
import { damagedJson } from "../damagedText.ts";
import { mutated, outcome } from "../sampleVault.ts";
import { seededBytes } from "../seeded.ts";
import { gatewayId, gatewayRoot, gatewaySecret, metadataKey, vaultId, vaultRoot } from "./sampleReplica.ts";

const vaultKey = vaultRootKey(metadataKey, fromHex(vaultId));
const gatewayKey = gatewayRootKey(gatewaySecret, fromHex(gatewayId));

/** Reads what an honest key proves, whatever it says. */
const readAs = (root: Root, document: unknown): string =>
  outcome(() => parseRoot(encodeRoot(document as Root, vaultKey), root, vaultKey));
const changed = (change: Record<string, unknown>): string => readAs(vaultRoot, { ...vaultRoot, ...change });

test("both chains survive", () => {
  const vault = encodeRoot(vaultRoot, vaultKey);
  expect(parseRoot(vault, vaultRoot, vaultKey)).toEqual(vaultRoot);
  expect(parseRoot(vault, vaultRoot, undefined)).toEqual(vaultRoot);
  expect(vault.length).toBeLessThan(2048);
  expect(vault.toString().split("\n")).toHaveLength(3);
  expect(rootHash(vault)).toMatch(/^[0-9a-f]{64}$/);
  const gateway = encodeRoot(gatewayRoot, gatewayKey);
  expect(parseRoot(gateway, gatewayRoot, gatewayKey)).toEqual(gatewayRoot);
});

test("another key, chain, id or generation is refused", () => {
  const bytes = encodeRoot(vaultRoot, vaultKey);
  expect(outcome(() => parseRoot(bytes, vaultRoot, gatewayKey))).toBe("seal-invalid");
  const gateway = encodeRoot({ ...gatewayRoot, id: vaultId, generation: 1, previous: noPrevious }, vaultKey);
  expect(outcome(() => parseRoot(gateway, vaultRoot, vaultKey))).toBe("corrupt");
  expect(outcome(() => parseRoot(bytes, { ...vaultRoot, id: gatewayId }, vaultKey))).toBe("corrupt");
  expect(outcome(() => parseRoot(bytes, { ...vaultRoot, generation: 2 }, vaultKey))).toBe("corrupt");
});

const named = { name: "keys/00000001.json", bytes: 1, sha256: "00".repeat(32) };

test.each<[string, Record<string, unknown>, string]>([
  ["generation", { generation: 0 }, "corrupt"],
  ["previous", { previous: "11".repeat(32) }, "corrupt"],
  ["writer", { writer: "" }, "corrupt"],
  ["fence", { fence: -1 }, "corrupt"],
  ["time", { time: "yesterday" }, "corrupt"],
  ["feature", { features: { read: ["later-1"] } }, "unsupported"],
  ["document's name", { document: { ...named, name: "../vault.json" } }, "corrupt"],
  ["keys' name", { keys: { ...named, name: "keys/1.json" } }, "corrupt"],
  ["length of the keys", { keys: { ...named, bytes: 2 ** 21 } }, "limit-exceeded"],
  ["catalog's name", { catalog: { ...named, name: `catalog/${"11".repeat(32)}` } }, "corrupt"],
  ["manifest's folder", { manifest: { ...named, name: `catalog/${named.sha256}` } }, "corrupt"],
  ["length of the manifest", { manifest: { ...vaultRoot.manifest, bytes: 2 ** 25 } }, "limit-exceeded"],
  ["count", { packs: 1.5 }, "corrupt"],
])("refuses a bad %s", (_, change, code) => {
  expect(changed(change)).toBe(code);
});

describe("the two lines", () => {
  const bytes = encodeRoot(vaultRoot, vaultKey);
  const read = (other: Buffer): string => outcome(() => parseRoot(other, vaultRoot, vaultKey));
  test("must be just two", () => {
    expect(read(Buffer.concat([bytes, Buffer.from("\n")]))).toBe("corrupt");
    expect(read(bytes.subarray(0, bytes.length - 1))).toBe("truncated");
    expect(read(Buffer.alloc(0))).toBe("truncated");
    expect(read(Buffer.concat([bytes, Buffer.alloc(4096)]))).toBe("limit-exceeded");
    expect(read(Buffer.from(bytes.toString().toUpperCase()))).toBe("corrupt");
  });

  test("a version that is not known is refused", () => {
    const line = JSON.stringify({ ...vaultRoot, format: "holdfast-root", version: 2 });
    const newer = Buffer.from(`${line}\n${"00".repeat(32)}\n`);
    expect(outcome(() => parseRoot(newer, vaultRoot, undefined))).toBe("unsupported");
  });

  test("fuzz: changed bytes never pass a MAC", () => {
    fc.assert(
      fc.property(mutated(bytes), (other) => {
        fc.pre(!other.equals(bytes));
        expect(read(other)).not.toBe("ok");
        outcome(() => parseRoot(other, vaultRoot, undefined));
      }),
    );
  });

  test("fuzz: any document is read or refused", () => {
    const whole = { format: "holdfast-root", version: 1, ...vaultRoot };
    fc.assert(
      fc.property(damagedJson(whole), (text) => {
        const object = Buffer.concat([Buffer.from(text), Buffer.from(`\n${"00".repeat(32)}\n`)]);
        outcome(() => parseRoot(object, vaultRoot, undefined));
        outcome(() => parseRoot(object, gatewayRoot, seededBytes("key", 32)));
      }),
    );
  });
});
