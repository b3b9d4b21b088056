// Makes the golden vector of the kept snapshot of a program that failed, once: `node test/vectors/makeProgramSnapshot.ts`. It refuses to overwrite.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../vault/bytes.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { encodeSnapshot } from "../../vault/snapshot.ts";
import { seededBytes } from "../vault/seeded.ts";

const fixed = (name: string, length: number): Buffer =>
  Buffer.from(seededBytes(`program snapshot vector ${name}`, length));

const secrets = {
  vaultId: fixed("vault id", 16),
  s: fixed("s", 32),
  epochs: new Map([[1, fixed("a 1", 32)]]),
  currentEpoch: 1,
};
const header = {
  flags: { incomplete: true },
  group: 4,
  deviceId: fixed("device id", 16),
  itemId: fixed("item id", 16),
  sequence: 9,
  previous: fixed("previous", 32),
  root: fixed("root", 32),
};
const body = {
  time: "2026-11-26T03:00:00.125Z",
  device: "server1",
  item: "db",
  host: "server1.example",
  paths: ["/shop.dump"],
  files: 1,
  dirs: 0,
  others: 0,
  bytes: 10_737_418_240,
  warnings: 2,
  agent: "0.1.0",
  chunker: "auto-1",
  features: { read: [] },
  program: { exit: null, signal: "SIGTERM", stopped: "program-timeout" },
};
const iv = fixed("iv", 16);
const { id, bytes } = encodeSnapshot({ keys: new VaultKeys(secrets), header, body, iv });

const vector = {
  about: "The snapshot of a program that came to a limit and was killed (docs/format.md, section 8). Bytes are hex.",
  secrets: {
    vaultId: toHex(secrets.vaultId),
    s: toHex(secrets.s),
    epochs: Object.fromEntries([...secrets.epochs].map(([number, a]) => [number, toHex(a)])),
    currentEpoch: secrets.currentEpoch,
  },
  header: {
    flags: header.flags,
    keyEpoch: 1,
    vaultId: toHex(secrets.vaultId),
    group: header.group,
    deviceId: toHex(header.deviceId),
    itemId: toHex(header.itemId),
    sequence: header.sequence,
    previous: toHex(header.previous),
    root: toHex(header.root),
  },
  body,
  iv: toHex(iv),
  id: toHex(id),
  snapshot: toHex(bytes),
};
writeFileSync(join(import.meta.dirname, "program-snapshot.json"), `${JSON.stringify(vector, null, 1)}\n`, {
  flag: "wx",
});
