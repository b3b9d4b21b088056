// The reference restore program: node test/reference/main.ts VAULT_FOLDER KEY_FILE (list | manifest SNAPSHOT | restore SNAPSHOT TARGET)
// VAULT_FOLDER is `vaults/<id>` of a gateway's data directory, or of a replica in a folder, which has roots.
// KEY_FILE holds the account's password, its recovery key or an escrow key on one line. SNAPSHOT is an id or the start of one.
import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Credential } from "./keys.ts";
import { manifest } from "./manifest.ts";
import { readVault } from "./replica.ts";
import { restore } from "./restore.ts";
import type { Snapshot } from "./snapshot.ts";
import { Vault } from "./vault.ts";

function credentialIn(file: string): Credential {
  const line = readFileSync(file, "utf8").replace(/\r?\n$/, "");
  if (/^HFE-/i.test(line)) return { escrowKey: line };
  return /^HFA-/i.test(line) ? { recoveryKey: line } : { password: line };
}

function print(value: unknown): void {
  console.log(JSON.stringify(value, (_, field) => (typeof field === "bigint" ? field.toString() : field)));
}

function choose(vault: Vault, wanted: string | undefined): Snapshot {
  const { snapshots } = vault.snapshots();
  const found = snapshots.filter(({ id }) => wanted !== undefined && id.startsWith(wanted));
  if (found.length !== 1) throw new Error(`${found.length} snapshots match ${wanted}`);
  return found[0]!;
}

const [given, keyFile, command, wanted, target] = process.argv.slice(2);
if (
  given === undefined ||
  keyFile === undefined ||
  !["list", "manifest", "restore"].includes(command ?? "")
) {
  console.error("usage: main.ts VAULT_FOLDER KEY_FILE (list | manifest SNAPSHOT | restore SNAPSHOT TARGET)");
  process.exit(2);
}
const folder = resolve(given);
const credential = credentialIn(keyFile);
const vault = existsSync(join(folder, "root"))
  ? await Vault.ofReplica(readVault(join(folder, "..", ".."), basename(folder), null), credential)
  : await Vault.open(folder, credential);
if (command === "list") {
  const { snapshots, damaged } = vault.snapshots();
  for (const { root, ...snapshot } of snapshots)
    print({ ...snapshot, root: Buffer.from(root).toString("hex") });
  for (const each of damaged) print({ damaged: each });
  process.exitCode = damaged.length > 0 ? 1 : 0;
} else if (command === "manifest") {
  const rows = manifest(vault, choose(vault, wanted));
  for (const row of rows) print(row);
  process.exitCode = rows.some(({ error }) => error !== undefined) ? 1 : 0;
} else {
  if (target === undefined) throw new Error("restore needs a target");
  const report = restore(vault, choose(vault, wanted), target);
  print(report);
  process.exitCode = report.failed.length > 0 ? 1 : 0;
}
