import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { generateKeyPair, sealBox } from "../../../vault/keys/box.ts";
import {
  addDeviceWrap,
  createKeysDocument,
  openWithDevice,
  openWithPassword,
  openWithRecovery,
  parseKeysDocument,
  passwordKdf,
  withDeviceWrap,
  withoutDevice,
  withPassword,
} from "../../../vault/keys/keysDocument.ts";
import type { KeysDocument } from "../../../vault/keys/keysTypes.ts";
import { ringContext, ringKey } from "../../../vault/keys/ring.ts";
import { VaultKeys } from "../../../vault/keys/vaultKeys.ts";
import { makeDeviceWrap } from "../../../vault/keys/wraps.ts";
import { bytesOf, mutated, outcome } from "../sampleVault.ts";

const vaultId = "0123456789abcdef0123456789abcdef";
const accountId = "fedcba9876543210fedcba9876543210";
const laptop = "aa".repeat(16);
const server = "bb".repeat(16);
const r = bytesOf("r", 24);
const kdf = { suite: 1 as const, iterations: 600_000, salt: bytesOf("salt", 32) };
const recovery = generateKeyPair();
const laptopKeys = generateKeyPair();
const serverKeys = generateKeyPair();
const created = createKeysDocument({ vaultId, accountId, r, kdf, recoveryPublic: recovery.publicKey });
const full = withDeviceWrap(
  withDeviceWrap(created.document, created.e, laptop, laptopKeys.publicKey),
  created.e,
  server,
  serverKeys.publicKey,
);
const openLaptop = (document: KeysDocument) =>
  openWithDevice(document, laptop, laptopKeys.privateKey, laptopKeys.publicKey);

describe("opening", () => {
  test("password, recovery key and devices all open the same secrets", () => {
    const again = parseKeysDocument(Buffer.from(JSON.stringify(full)));
    expect(again).toEqual(full);
    expect(again.generation).toBe(3);
    const ways = [
      openWithPassword(again, r),
      openWithRecovery(again, recovery.privateKey),
      openLaptop(again),
      openWithDevice(again, server, serverKeys.privateKey, serverKeys.publicKey),
    ];
    for (const opened of ways) expect(opened).toEqual({ secrets: created.secrets, e: created.e });
    expect(passwordKdf(again)).toEqual(kdf);
    expect(new VaultKeys(ways[0]!.secrets).currentEpoch).toBe(1);
  });

  test("wrong keys are told as such", () => {
    expect(outcome(() => openWithPassword(full, bytesOf("wrong", 24)))).toBe("key-wrong");
    expect(outcome(() => openWithRecovery(full, laptopKeys.privateKey))).toBe("key-wrong");
    expect(outcome(() => openWithDevice(full, server, laptopKeys.privateKey, laptopKeys.publicKey))).toBe(
      "key-wrong",
    );
    expect(
      outcome(() => openWithDevice(full, "cc".repeat(16), laptopKeys.privateKey, laptopKeys.publicKey)),
    ).toBe("key-wrong");
    expect(outcome(() => openWithPassword({ ...full, wraps: [] }, r))).toBe("key-wrong");
    expect(outcome(() => openWithRecovery({ ...full, wraps: [] }, recovery.privateKey))).toBe("key-wrong");
    expect(passwordKdf({ ...full, wraps: [] })).toBeUndefined();
  });

  test("a wrap or ring of another vault, account, epoch or holder does not open here", () => {
    const other = createKeysDocument({
      vaultId: accountId,
      accountId,
      r,
      kdf,
      recoveryPublic: recovery.publicKey,
    });
    expect(outcome(() => openWithPassword({ ...full, wraps: other.document.wraps }, r))).toBe("seal-invalid");
    expect(outcome(() => openWithPassword({ ...full, account: vaultId }, r))).toBe("seal-invalid");
    expect(outcome(() => openWithPassword({ ...full, epoch: 2 }, r))).toBe("seal-invalid");
    expect(outcome(() => openWithPassword({ ...full, ring: other.document.ring }, r))).toBe("key-wrong");
    const wraps = full.wraps
      .map((wrap) => (wrap.kind === "device" ? { ...wrap, device: laptop } : wrap))
      .slice(0, 4);
    const swapped = { ...full, wraps: wraps.filter((_, i) => i !== 2) };
    const open = () => openWithDevice(swapped, laptop, serverKeys.privateKey, serverKeys.publicKey);
    expect(outcome(open)).toBe("seal-invalid");
  });
});

describe("changing", () => {
  test("a new password opens, the old one does not, and everyone else still does", () => {
    const newR = bytesOf("new r", 24);
    const newKdf = { ...kdf, salt: bytesOf("new salt", 32) };
    const changed = withPassword(full, created.e, newR, newKdf);
    expect(changed.generation).toBe(full.generation + 1);
    expect(changed.ring).toBe(full.ring);
    expect(openWithPassword(changed, newR).secrets).toEqual(created.secrets);
    expect(passwordKdf(changed)).toEqual(newKdf);
    expect(outcome(() => openWithPassword(changed, r))).toBe("key-wrong");
    expect(openLaptop(changed).e).toEqual(created.e);
    expect(openWithPassword(full, r).e).toEqual(created.e); // the old value is untouched
  });

  test("a device is taken out, put back, and its key replaced", () => {
    const without = withoutDevice(full, laptop);
    expect(without.wraps.length).toBe(full.wraps.length - 1);
    expect(outcome(() => openLaptop(without))).toBe("key-wrong");
    const back = addDeviceWrap(without, makeDeviceWrap(without, created.e, laptop, laptopKeys.publicKey));
    expect(openLaptop(back).secrets).toEqual(created.secrets);
    const replaced = withDeviceWrap(back, created.e, laptop, serverKeys.publicKey);
    expect(replaced.wraps.length).toBe(back.wraps.length);
    expect(outcome(() => openLaptop(replaced))).toBe("key-wrong");
  });

  test("a malformed wrap from a client is refused", () => {
    const wrap = makeDeviceWrap(full, created.e, laptop, laptopKeys.publicKey);
    expect(outcome(() => addDeviceWrap(full, { ...wrap, box: "AAAA" }))).toBe("corrupt");
    expect(outcome(() => addDeviceWrap(full, { ...wrap, device: "../../x" }))).toBe("corrupt");
    expect(outcome(() => addDeviceWrap({ ...full, generation: 99_999_999 }, wrap))).toBe("limit-exceeded");
  });
});

describe("parsing", () => {
  const text = JSON.stringify(full);
  const changedTo = (change: Record<string, unknown>) =>
    outcome(() => parseKeysDocument({ ...full, ...change }));

  test.each<[string, Record<string, unknown>, string]>([
    ["format", { format: "other" }, "corrupt"],
    ["higher version", { version: 2 }, "unsupported"],
    ["version", { version: "1" }, "corrupt"],
    ["vault id", { vault: "xyz" }, "corrupt"],
    ["account id in upper case", { account: accountId.toUpperCase() }, "corrupt"],
    ["generation 0", { generation: 0 }, "corrupt"],
    ["generation beyond its file name", { generation: 1e8 }, "limit-exceeded"],
    ["epoch", { epoch: 0 }, "corrupt"],
    ["short ring", { ring: "AAAA" }, "corrupt"],
    ["ring that is not base64", { ring: `${full.ring}!` }, "corrupt"],
    ["wraps", { wraps: {} }, "corrupt"],
    ["wrap", { wraps: [null] }, "corrupt"],
    ["unknown kind of wrap", { wraps: [{ kind: "passkey" }] }, "unsupported"],
    ["two passwords", { wraps: [full.wraps[0], full.wraps[0]] }, "corrupt"],
    ["unknown KDF suite", { wraps: [{ ...full.wraps[0], kdf: { suite: 2 } }] }, "unsupported"],
    [
      "absurd iterations",
      {
        wraps: [{ ...full.wraps[0], kdf: { suite: 1, iterations: 1e12, salt: kdf.salt.toString("base64") } }],
      },
      "limit-exceeded",
    ],
    ["too many wraps", { wraps: new Array(5000).fill(full.wraps[0]) }, "limit-exceeded"],
  ])("refuses a bad %s", (_, change, code) => {
    expect(changedTo(change)).toBe(code);
  });

  test("ignores unknown members", () => {
    expect(parseKeysDocument({ ...full, comment: "hello", __proto__: { x: 1 } })).toEqual(full);
  });

  test("refuses what is too large, not UTF-8 or not JSON", () => {
    expect(outcome(() => parseKeysDocument(" ".repeat((1 << 20) + 1)))).toBe("limit-exceeded");
    expect(outcome(() => parseKeysDocument(Buffer.from([0x22, 0xff, 0x22])))).toBe("corrupt");
    expect(outcome(() => parseKeysDocument("[".repeat(1 << 20)))).toBe("corrupt");
  });

  test("a ring that lies is refused", () => {
    const withRing = (ring: unknown) => {
      const key = ringKey(created.e, Buffer.from(vaultId, "hex"), 1);
      const box = sealBox(key, ringContext(vaultId, 1), Buffer.from(JSON.stringify(ring)));
      return outcome(() => openWithPassword({ ...full, ring: box.toString("base64") }, r));
    };
    const a = "11".repeat(32);
    expect(withRing({ s: a, epochs: { 1: a } })).toBe("ok");
    expect(withRing({ s: a, epochs: { 2: a } })).toBe("corrupt");
    expect(withRing({ s: a, epochs: { 1: a, x: a } })).toBe("corrupt");
    expect(withRing({ s: a, epochs: { 1: a, 4294967296: a } })).toBe("corrupt");
    expect(withRing({ s: "11", epochs: { 1: a } })).toBe("corrupt");
    expect(withRing([])).toBe("corrupt");
  });

  test("random JSON and mutated text are refused in a typed way, and never open to other secrets", () => {
    const open = (input: unknown) =>
      outcome(() => expect(openWithPassword(parseKeysDocument(input), r).secrets).toEqual(created.secrets));
    fc.assert(fc.property(fc.jsonValue(), (value) => void open(value)));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void open(bytes)));
    fc.assert(
      fc.property(mutated(Buffer.from(text)), (bytes) => void open(bytes)),
      { numRuns: 500 },
    );
  });
});
