// Threads that open records of a vault whose keys are rotated while they have it.

import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { selectEngines } from "../../../agent/platform/engines.ts";
import { OpenPool } from "../../../fs/view/openPool.ts";
import { VaultKeys } from "../../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../../vault/magic.ts";
import { parseRecordHeader, sealRecord } from "../../../vault/record.ts";

const group = 1;
const type = RecordType.data;

test("a thread gets newer epochs of keys that it has, and forgets all of them", async () => {
  const secrets = { vaultId: randomBytes(16), s: randomBytes(32), currentEpoch: 1 };
  const first = new Map([[1, randomBytes(32)]]);
  const keys = new VaultKeys({ ...secrets, epochs: first });
  const newer = new VaultKeys({
    ...secrets,
    epochs: new Map([...first, [2, randomBytes(32)]]),
    currentEpoch: 2,
  });
  const pool = new OpenPool({ threadCount: 1 });
  const open = async (by: VaultKeys): Promise<boolean> => {
    const plaintext = randomBytes(10_000);
    const record = sealRecord({ keys: by, group, type, plaintext, refs: Buffer.alloc(0) });
    const { id } = parseRecordHeader(record);
    const wanted = {
      keys,
      group,
      type,
      id: Buffer.from(id),
      record: Buffer.from(Uint8Array.from(record).buffer),
    };
    return plaintext.equals((await pool.open(wanted)).plaintext);
  };
  expect(await open(keys)).toBe(true);
  await expect(open(newer)).rejects.toMatchObject({ code: "key-wrong" });
  expect(keys.extendWith(newer)).toBe(true);
  expect(await open(newer)).toBe(true);
  expect(await open(keys)).toBe(true);
  pool.forgetUnless(() => false);
  keys.wipe();
  await expect(open(newer)).rejects.toMatchObject({ code: "vault-locked" });
  await pool.close();
});

test("large records that come together are opened together, and one that is wrong fails alone", async () => {
  const keys = new VaultKeys({
    ...{ vaultId: randomBytes(16), s: randomBytes(32), currentEpoch: 1 },
    epochs: new Map([[1, randomBytes(32)]]),
  });
  const pool = new OpenPool({
    ...{ threadCount: 1, worker: new URL("../../../appliance/drive/openWorker.ts", import.meta.url) },
    engines: selectEngines,
  });
  for (const wrong of [undefined, 0, 1, 4, 5]) {
    // Two pairs, a small one, and one that is left over.
    const plaintexts = [600_000, 400_000, 1_000_000, 30_000, 500, 800_000].map((length) =>
      randomBytes(length),
    );
    const opened = plaintexts.map((plaintext, index) => {
      const refs = Buffer.alloc(0);
      const named = index === wrong ? { id: randomBytes(32) } : {};
      const record = sealRecord({ keys, group, type, plaintext, refs, ...named });
      const id = Buffer.from(parseRecordHeader(record).id);
      return pool.open({ keys, group, type, id, record: Buffer.from(Uint8Array.from(record).buffer) });
    });
    const outcomes = await Promise.allSettled(opened);
    for (const [index, outcome] of outcomes.entries()) {
      if (index === wrong)
        expect(outcome).toMatchObject({
          reason: { code: "chunk-damaged", detail: { reason: "id-mismatch" } },
        });
      else if (outcome.status === "fulfilled")
        expect(plaintexts[index]!.equals(outcome.value.plaintext)).toBe(true);
      else throw outcome.reason;
    }
  }
  await pool.close();
});
