// Deletion statements: what is signed comes back, and nothing that was changed does.

import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Deletion, openDeletion, signDeletion } from "../../vault/deletion.ts";
import { isHoldfastError } from "../../vault/errors.ts";
import { SigningKey } from "../../vault/keys/signature.ts";

const hex = (bytes: number) => randomBytes(bytes).toString("hex");
const deletion: Deletion = {
  ...{ gateway: hex(16), account: hex(16), name: "anna", devices: 2, appPasswords: 1 },
  ...{ begun: "2026-11-26T06:00:00.000Z", time: "2026-11-26T06:01:00.000Z" },
  vaults: [{ id: hex(16), name: "main", keys: [hex(32), hex(32)], snapshots: 3, packs: 4, bytes: 5 }],
  remains: [{ replica: "usb", url: "file:///mnt/usb", vaults: [hex(16)] }],
};
const key = new SigningKey(randomBytes(32));

test("what is signed comes back, for its signer alone", () => {
  const bytes = signDeletion(deletion, key);
  expect(openDeletion(bytes, key.publicKey)).toEqual(deletion);
  expect(() => openDeletion(bytes, new SigningKey(randomBytes(32)).publicKey)).toThrow("another key");
});

test("fuzz: no change passes, and any bytes are refused with a code", () => {
  const bytes = signDeletion(deletion, key);
  const refused = (changed: Uint8Array): void => {
    try {
      openDeletion(changed, key.publicKey);
      expect.unreachable("it was taken");
    } catch (error) {
      expect(isHoldfastError(error)).toBe(true);
    }
  };
  fc.assert(
    fc.property(
      fc.nat(bytes.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(bytes.length - 1),
      (at, flip, length) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ flip;
        refused(changed);
        refused(bytes.subarray(0, length));
      },
    ),
  );
  fc.assert(
    fc.property(fc.json(), (json) => {
      const line = Buffer.from(json.replaceAll("\n", " "));
      refused(Buffer.concat([line, Buffer.from(`\n${Buffer.from(key.sign(line)).toString("hex")}\n`)]));
    }),
  );
});
