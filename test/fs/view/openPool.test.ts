// Threads that open records of a vault whose keys are rotated while they have it.

import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
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
