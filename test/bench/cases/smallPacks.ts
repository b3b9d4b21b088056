// Fills a box with packs of a few small records, as a program of its own: node smallPacks.ts BOX PASSPHRASE-FILE PACKS

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { Gateway } from "../../../gateway/gateway.ts";
import { VaultKeys } from "../../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../../vault/magic.ts";
import { sealRecord } from "../../../vault/record.ts";
import { openBoxKey, parseBoxDocument } from "../../../vault/seed/boxDocument.ts";

const [data = "", passphraseFile = "", packs = "0"] = process.argv.slice(2);
const recordBytes = 4000;
const recordsPerPack = 8;
const recordsAtOnce = 512;

const document = parseBoxDocument(readFileSync(join(data, "box.json")));
const boxKey = await openBoxKey(document, readFileSync(passphraseFile, "utf8").trim());
const gateway = await Gateway.open(data, {
  logger: pino({ level: "error" }),
  now: () => new Date(),
  version: "bench",
  boxKey,
  packBytesTarget: recordsPerPack * recordBytes,
});
const [row] = gateway.catalog.vaults.list();
const vault = await gateway.vault(row!.id);
const [device] = gateway.catalog.devices.list(row!.account);
// The gateway cannot tell whose keys sealed them.
const keys = new VaultKeys({
  vaultId: Buffer.from(row!.id, "hex"),
  s: randomBytes(32),
  epochs: new Map([[1, randomBytes(32)]]),
  currentEpoch: 1,
});
for (let left = Number(packs) * recordsPerPack; left > 0; left -= recordsAtOnce) {
  const records = Array.from({ length: Math.min(left, recordsAtOnce) }, () => {
    const plaintext = randomBytes(recordBytes);
    const id = randomBytes(32);
    return sealRecord({
      ...{ keys, group: device!.group, type: RecordType.data, plaintext, refs: Buffer.alloc(0), id },
    });
  });
  await vault.admit(device!, records);
  // Packs are filled faster than they are closed, and each holds a descriptor until then.
  await vault.store.settled();
}
await gateway.close();
