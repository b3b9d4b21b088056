import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { generateKeyPair } from "../../../vault/keys/box.ts";
import {
  createKeysDocument,
  escrowHolders,
  openWithDevice,
  openWithEscrow,
  openWithPassword,
  openWithRecovery,
  parseKeysDocument,
  withDeviceWrap,
  withEscrow,
} from "../../../vault/keys/keysDocument.ts";
import type { KeysDocument, KeysWrap } from "../../../vault/keys/keysTypes.ts";
import { sealRing } from "../../../vault/keys/ring.ts";
import { rotateKeys } from "../../../vault/keys/rotation.ts";
import { VaultKeys } from "../../../vault/keys/vaultKeys.ts";
import { makePasswordWrap } from "../../../vault/keys/wraps.ts";
import { limits } from "../../../vault/limits.ts";
import { RecordType } from "../../../vault/magic.ts";
import { openRecord, sealRecord } from "../../../vault/record.ts";
import { bytesOf, mutated, outcome } from "../sampleVault.ts";

const vaultId = "0123456789abcdef0123456789abcdef";
const accountId = "fedcba9876543210fedcba9876543210";
const r = bytesOf("r", 24);
const kdf = { suite: 1 as const, iterations: 600_000, salt: bytesOf("salt", 32) };
const [recovery, laptop, stolen, legal] = [1, 2, 3, 4].map(() => generateKeyPair()) as [
  ReturnType<typeof generateKeyPair>,
  ReturnType<typeof generateKeyPair>,
  ReturnType<typeof generateKeyPair>,
  ReturnType<typeof generateKeyPair>,
];
const ids = { laptop: "aa".repeat(16), stolen: "bb".repeat(16) };
const holder = { label: "legal", public: legal.publicKey.toString("base64"), since: "2026-11-26T09:00:00Z" };
const created = createKeysDocument({ vaultId, accountId, r, kdf, recoveryPublic: recovery.publicKey });
const withDevices = withDeviceWrap(
  withDeviceWrap(created.document, created.e, ids.laptop, laptop.publicKey),
  created.e,
  ids.stolen,
  stolen.publicKey,
);
const before = withEscrow(withDevices, created.e, holder);
const allButStolen = (wrap: KeysWrap): boolean => wrap.kind !== "device" || wrap.device !== ids.stolen;
const after = rotateKeys(before, r, allButStolen);

const openStolen = (document: KeysDocument) =>
  openWithDevice(document, ids.stolen, stolen.privateKey, stolen.publicKey);

describe("rotation", () => {
  test("is the next generation and epoch, with S and every A of before, and another E", () => {
    const { document, secrets, e } = after;
    expect(document).toEqual(parseKeysDocument(JSON.stringify(document)));
    expect([document.generation, document.epoch]).toEqual([before.generation + 1, 2]);
    expect([secrets.currentEpoch, secrets.epochs.size]).toEqual([2, 2]);
    expect(secrets.s).toEqual(created.secrets.s);
    expect(secrets.epochs.get(1)).toEqual(created.secrets.epochs.get(1));
    expect(secrets.epochs.get(2)).not.toEqual(secrets.epochs.get(1));
    expect(e).not.toEqual(created.e);
    expect(new VaultKeys(secrets).metadataKey).toEqual(new VaultKeys(created.secrets).metadataKey);
  });

  test("opens for password, recovery key, kept devices and escrow keys", () => {
    const { document, secrets, e } = after;
    const ways = [
      openWithPassword(document, r),
      openWithRecovery(document, recovery.privateKey),
      openWithDevice(document, ids.laptop, laptop.privateKey, laptop.publicKey),
      openWithEscrow(document, legal.privateKey),
    ];
    for (const opened of ways) expect(opened).toEqual({ secrets, e });
    expect(escrowHolders(document)).toEqual([holder]);
  });

  test("does not open for who was left out, by any old wrap, E or document", () => {
    const { document } = after;
    expect(outcome(() => openStolen(document))).toBe("key-wrong");
    // Its old wrap in the new document, with the new ring and with the old one.
    const old = before.wraps.find((wrap) => wrap.kind === "device" && wrap.device === ids.stolen)!;
    const grafted = { ...document, wraps: [...document.wraps, old] };
    expect(outcome(() => openStolen(grafted))).toBe("seal-invalid");
    expect(outcome(() => openStolen({ ...grafted, epoch: 1 }))).not.toBe("ok");
    // What it can open all its life: the old document, which leads to the old A alone.
    const { secrets } = openStolen(before);
    const [thief, owner] = [new VaultKeys(secrets), new VaultKeys(after.secrets)];
    const refs = Buffer.alloc(0);
    const plaintext = Buffer.from("sealed after the rotation");
    const seal = (keys: VaultKeys) => sealRecord({ keys, group: 1, type: RecordType.data, plaintext, refs });
    const record = seal(owner);
    const id = record.subarray(24, 56);
    const open = (keys: VaultKeys, sealed: Buffer) =>
      openRecord({ keys, group: 1, record: sealed, expectedId: id, expectedType: RecordType.data });
    expect(outcome(() => open(thief, record))).toBe("key-wrong");
    // Not by calling the record's epoch another one either.
    const renamed = Buffer.from(record);
    renamed.writeUInt32LE(1, 8);
    expect(outcome(() => open(thief, renamed))).toBe("seal-invalid");
    // Deduplication goes on, and the owner reads both.
    const earlier = seal(thief);
    expect(earlier.subarray(24, 56)).toEqual(id);
    expect([open(owner, earlier).plaintext, open(owner, record).plaintext]).toEqual([plaintext, plaintext]);
  });

  test("says of each wrap whether somebody who had E made it, for that key and place", () => {
    const told = (document: KeysDocument): Record<string, boolean> => {
      const proven: Record<string, boolean> = {};
      rotateKeys(document, r, (wrap, isProven) => {
        proven[wrap.kind === "device" ? wrap.device.slice(0, 2) : wrap.kind] = isProven;
        return true;
      });
      return proven;
    };
    const everybody = { password: true, recovery: true, aa: true, bb: true, escrow: true };
    expect(told(before)).toEqual(everybody);
    expect(told(rotateKeys(before, r, () => true).document)).toEqual(everybody);
    const altered = (change: (wrap: KeysWrap) => object): KeysDocument => ({
      ...before,
      wraps: before.wraps.map((wrap) => ({ ...wrap, ...change(wrap) }) as KeysWrap),
    });
    const strange = generateKeyPair().publicKey.toString("base64");
    const nobody = { password: true, recovery: false, aa: false, bb: false, escrow: false };
    expect(told(altered(() => ({ proof: undefined })))).toEqual(nobody);
    expect(told(altered(({ kind }) => (kind === "password" ? {} : { public: strange })))).toEqual(nobody);
    const relabelled = altered(({ kind }) => (kind === "escrow" ? { label: "somebody else" } : {}));
    expect(told(relabelled)).toEqual({ ...everybody, escrow: false });
    // The proof of one device does not do for another.
    const swapped = altered((wrap) =>
      wrap.kind === "device" ? { device: wrap.device === ids.laptop ? ids.stolen : ids.laptop } : {},
    );
    expect(told(swapped)).toEqual({ ...everybody, aa: false, bb: false });
  });

  test("again and again", () => {
    let { document } = after;
    for (let epoch = 3; epoch <= 6; epoch++) {
      document = rotateKeys(document, r, () => true).document;
      const { secrets } = openWithEscrow(document, legal.privateKey);
      expect([...secrets.epochs.keys()]).toEqual(Array.from({ length: epoch }, (_, i) => i + 1));
      expect(secrets.epochs.get(2)).toEqual(after.secrets.epochs.get(2));
    }
    expect(document.wraps.map(({ kind }) => kind)).toEqual(["password", "recovery", "device", "escrow"]);
  });

  test("takes the right password, and a document with one", () => {
    expect(outcome(() => rotateKeys(before, bytesOf("wrong", 24), () => true))).toBe("key-wrong");
    const wraps = before.wraps.filter(({ kind }) => kind !== "password");
    expect(outcome(() => rotateKeys({ ...before, wraps }, r, () => true))).toBe("key-wrong");
  });

  test("ends where the ring is full", () => {
    const full = (size: number): KeysDocument => {
      const epochs = new Map(Array.from({ length: size }, (_, i) => [i + 1, randomBytes(32)] as const));
      const e = randomBytes(16);
      const secrets = { ...created.secrets, epochs, currentEpoch: size };
      const place = { account: accountId, vault: vaultId, epoch: size };
      return parseKeysDocument({
        ...{ format: "holdfast-keys", version: 1, ...place, generation: size },
        ring: sealRing(vaultId, e, secrets),
        wraps: [makePasswordWrap(place, e, r, kdf)],
      });
    };
    const last = rotateKeys(full(limits.epochsMax - 1), r, () => true);
    expect(last.secrets.epochs.size).toBe(limits.epochsMax);
    expect(outcome(() => rotateKeys(last.document, r, () => true))).toBe("limit-exceeded");
  });

  test("of a document that was altered anywhere is refused, or is of its clear members alone", () => {
    const text = Buffer.from(JSON.stringify(before));
    fc.assert(
      fc.property(mutated(text), (bytes) => {
        void outcome(() => rotateKeys(parseKeysDocument(bytes), r, () => true));
      }),
      { numRuns: 200 },
    );
  });
});

describe("escrow keys", () => {
  test("are bound to account, vault, epoch and their own key", () => {
    expect(openWithEscrow(before, legal.privateKey)).toEqual({ secrets: created.secrets, e: created.e });
    expect(outcome(() => openWithEscrow(before, laptop.privateKey))).toBe("key-wrong");
    for (const moved of [{ account: vaultId }, { epoch: 2 }]) {
      expect(outcome(() => openWithEscrow({ ...before, ...moved }, legal.privateKey))).toBe("seal-invalid");
    }
    const posing = before.wraps.map((wrap) =>
      wrap.kind === "escrow" ? { ...wrap, public: laptop.publicKey.toString("base64") } : wrap,
    );
    expect(outcome(() => openWithEscrow({ ...before, wraps: posing }, laptop.privateKey))).toBe("key-wrong");
  });

  test("each once, with a name that can be shown, sixteen at most", () => {
    const other = (label: string) => ({
      ...holder,
      label,
      public: generateKeyPair().publicKey.toString("base64"),
    });
    const exists = expect.objectContaining({ code: "exists" });
    expect(() => withEscrow(before, created.e, { ...holder, label: "x" })).toThrow(exists);
    expect(() => withEscrow(before, created.e, other("legal"))).toThrow(exists);
    for (const label of ["", "a\nb", "\u001b[2J", "\u202eb", "x".repeat(65)]) {
      expect(outcome(() => withEscrow(before, created.e, other(label)))).toBe("corrupt");
    }
    let document = before;
    for (let n = 2; n <= limits.escrowsMax; n++)
      document = withEscrow(document, created.e, other(`escrow ${n}`));
    expect(escrowHolders(document)).toHaveLength(16);
    expect(outcome(() => withEscrow(document, created.e, other("one more")))).toBe("limit-exceeded");
    const zero = { ...holder, label: "zero", public: Buffer.alloc(32).toString("base64") };
    expect(outcome(() => withEscrow(before, created.e, zero))).toBe("corrupt");
  });

  test("are in a new vault from the beginning", () => {
    const further = createKeysDocument({
      ...{ vaultId: accountId, accountId, r, kdf, recoveryPublic: recovery.publicKey },
      escrows: escrowHolders(before),
    });
    expect(openWithEscrow(further.document, legal.privateKey).e).toEqual(further.e);
  });
});
