import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../vault/bytes.ts";
import { VaultKeys, type VaultSecrets } from "../../../vault/keys/vaultKeys.ts";
import { nobleDerive } from "../nobleSeal.ts";
import { bytesOf, outcome, sampleKeys, sampleSecrets } from "../sampleVault.ts";

const { vaultId, s, epochs } = sampleSecrets;

test("derives what the format says, as the independent implementation has it", () => {
  const keys = sampleKeys();
  for (const group of [0, 1, 0xffff_ffff]) {
    expect(toHex(keys.idKey(group))).toBe(toHex(nobleDerive(s, vaultId, "holdfast id v1", group)));
    const gear = nobleDerive(s, vaultId, "holdfast gear v1", group, 1024);
    expect(toHex(new Uint8Array(keys.gearTable(group).buffer))).toBe(toHex(gear));
    const split = nobleDerive(s, vaultId, "holdfast split v1", group, 1024);
    expect(toHex(new Uint8Array(keys.splitTable(group).buffer))).toBe(toHex(split));
  }
  expect(toHex(keys.fileHashKey)).toBe(toHex(nobleDerive(s, vaultId, "holdfast file hash v1")));
  for (const epoch of [1, 2]) {
    const { encKey, macKey } = keys.sealKeys(epoch);
    expect(toHex(encKey)).toBe(toHex(nobleDerive(epochs.get(epoch)!, vaultId, "holdfast seal enc v1")));
    expect(toHex(macKey)).toBe(toHex(nobleDerive(epochs.get(epoch)!, vaultId, "holdfast seal mac v1")));
  }
  expect(toHex(keys.metadataKey)).toBe(toHex(nobleDerive(epochs.get(1)!, vaultId, "holdfast metadata v1")));
});

test("derives once", () => {
  const keys = sampleKeys();
  expect(keys.idKey(1)).toBe(keys.idKey(1));
  expect(keys.gearTable(1)).toBe(keys.gearTable(1));
  expect(keys.sealKeys(1)).toBe(keys.sealKeys(1));
});

test("an unknown epoch is refused", () => {
  expect(outcome(() => sampleKeys().sealKeys(3))).toBe("key-wrong");
});

test("reaches a worker thread, and takes no neighbouring memory along", async () => {
  const exported = sampleKeys().export();
  for (const bytes of [exported.vaultId, exported.s, ...exported.epochs.values()]) {
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  }
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads"); parentPort.postMessage(workerData);`,
    { eval: true, workerData: exported },
  );
  const [back] = (await once(worker, "message")) as [VaultSecrets];
  await worker.terminate();
  const keys = new VaultKeys(back);
  expect(keys.currentEpoch).toBe(2);
  expect(toHex(keys.idKey(7))).toBe(toHex(sampleKeys().idKey(7)));
  expect(toHex(keys.sealKeys(2).encKey)).toBe(toHex(sampleKeys().sealKeys(2).encKey));
});

describe("wipe()", () => {
  test("zeroes everything that was handed out and refuses every use", () => {
    const keys = sampleKeys();
    const handedOut: Uint8Array[] = [
      keys.idKey(1),
      new Uint8Array(keys.gearTable(1).buffer),
      new Uint8Array(keys.splitTable(1).buffer),
      keys.fileHashKey,
      keys.sealKeys(1).encKey,
      keys.sealKeys(1).macKey,
      keys.metadataKey,
    ];
    keys.wipe();
    for (const bytes of handedOut) expect(bytes.every((byte) => byte === 0)).toBe(true);
    const uses = [
      () => keys.idKey(1),
      () => keys.gearTable(1),
      () => keys.splitTable(1),
      () => keys.fileHashKey,
      () => keys.sealKeys(1),
      () => keys.metadataKey,
      () => keys.export(),
    ];
    for (const use of uses) expect(use).toThrow(expect.objectContaining({ code: "vault-locked" }));
  });

  test("leaves the secrets it was made from and what it exported alone", () => {
    const keys = sampleKeys();
    const exported = keys.export();
    keys.wipe();
    expect(toHex(exported.s)).toBe(toHex(sampleSecrets.s));
    expect(sampleSecrets.s.some((byte) => byte !== 0)).toBe(true);
  });
});

test("newer epochs are added to keys that are held, and nothing else is", () => {
  const base = { vaultId: bytesOf("vault", 16), s: bytesOf("s", 32) };
  const a = [1, 2, 3].map((n) => [n, bytesOf(`a ${n}`, 32)] as const);
  const upTo = (currentEpoch: number) =>
    new VaultKeys({ ...base, epochs: new Map(a.slice(0, currentEpoch)), currentEpoch });
  const held = upTo(1);
  const metadataKey = held.metadataKey;
  expect(held.hasEpoch(2)).toBe(false);
  expect(held.extendWith(upTo(3))).toBe(true);
  expect([held.currentEpoch, held.hasEpoch(2), held.hasEpoch(3), held.hasEpoch(4)]).toEqual([
    3,
    true,
    true,
    false,
  ]);
  expect(held.sealKeys(2)).toEqual(upTo(2).sealKeys(2));
  expect(held.metadataKey).toBe(metadataKey);
  // What it took is its own.
  const donor = upTo(3);
  const taker = upTo(2);
  expect(taker.extendWith(donor)).toBe(true);
  donor.wipe();
  expect(taker.sealKeys(3)).toEqual(upTo(3).sealKeys(3));
  const others = [
    upTo(2),
    new VaultKeys({ ...base, s: bytesOf("other s", 32), epochs: new Map(a), currentEpoch: 3 }),
    new VaultKeys({ ...base, vaultId: bytesOf("other", 16), epochs: new Map(a), currentEpoch: 3 }),
    new VaultKeys({ ...base, epochs: new Map([...a, [2, bytesOf("other a", 32)]]), currentEpoch: 3 }),
    new VaultKeys({ ...base, epochs: new Map(a.slice(1)), currentEpoch: 3 }),
    donor,
  ];
  for (const other of others) expect(held.extendWith(other)).toBe(false);
  expect(held.sealKeys(2)).toEqual(upTo(2).sealKeys(2));
  held.wipe();
  expect(held.extendWith(upTo(3))).toBe(false);
});
