// What a data directory has besides its vaults, from a replica: settings, TLS identity, catalog, and gateway.json at the end.

import { join } from "node:path";
import { Catalog } from "../../catalog/catalog.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { GatewayIdentity } from "../../dataDir.ts";
import { type JobRow, JobRows } from "../../jobs/jobRows.ts";
import { checkSettings, settingsDefault } from "../../settings.ts";
import { formatSettings } from "../../settingsText.ts";
import { makeFolderDurably, syncDirectory, writeFileDurably } from "../../store/files.ts";
import { formats } from "../../upgrade/formats.ts";
import type { RestoredState } from "./gatewayState.ts";
import type { RestoreMark } from "./restoreMark.ts";
import type { ProvenVaultRoot } from "./vaultRoots.ts";

export type DataDirContent = {
  readonly state: RestoredState;
  readonly roots: readonly ProvenVaultRoot[];
  readonly mark: RestoreMark;
  /** How the replica was reached now. */
  readonly source: Pick<Replica, "url" | "options">;
  readonly listen: string | undefined;
  readonly now: () => Date;
};

/**
 * Writes all but vaults and gateway.json; what is there from a run before is written again or found.
 * @returns the replica's row in the new catalog
 * @throws HoldfastError usage (listen), disk-full, io-error
 */
export async function fillDataDir(path: string, content: DataDirContent): Promise<Replica> {
  const { state, listen } = content;
  const { tls, settings } = state.sealed;
  for (const folder of ["tls", "catalog", "gateway", "vaults"]) await makeFolderDurably(join(path, folder));
  // A certificate that lay elsewhere on the old machine comes into tls/: its paths mean nothing here.
  const own = { ...settings, tlsCertificate: "", tlsKey: "", ...(listen === undefined ? {} : { listen }) };
  await writeFileDurably(join(path, "tls", "cert.pem"), Buffer.from(tls.certificate));
  await writeFileDurably(join(path, "tls", "key.pem"), Buffer.from(tls.key));
  await writeFileDurably(join(path, "config.toml"), Buffer.from(formatSettings(checkSettings(own))));
  await writeFileDurably(join(path, "gateway", "sealed.json"), state.sealedBytes);
  const catalog = new Catalog(join(path, "catalog"));
  try {
    return fillCatalog(catalog, content);
  } finally {
    await catalog.close();
  }
}

/** One transaction, so that a catalog has all or nothing. */
function fillCatalog(catalog: Catalog, { state, roots, mark, source, now }: DataDirContent): Replica {
  const { part, sealed } = state;
  const rows = replicaRows(state, mark, source, now);
  const row = rows[0]!;
  if (catalog.replicas.get(row.id) !== undefined) return catalog.replicas.get(row.id)!;
  catalog.write(() => {
    for (const account of part.accounts) catalog.accounts.add(account);
    for (const password of part.appPasswords) catalog.appPasswords.add(password);
    catalog.devices.restore(part.devices);
    catalog.fleetItems.restore(part.fleetItems);
    catalog.boxes.restore(part.boxes);
    for (const { account, ...home } of part.homes) catalog.homes.put(account, home);
    for (const { root } of roots) {
      const vault = part.vaults.find(({ id }) => id === root.id)!;
      const { seen: _seen, ...rest } = vault;
      // The generation that came along counts: the catalog's may be one ahead of it, or behind.
      const keysGeneration = generationOf(root.keys.name);
      catalog.vaults.add({ ...rest, keysGeneration, metadataKey: sealed.metadataKeys[root.id]! });
    }
    for (const replica of rows) catalog.replicas.add(replica);
    const note = (chain: string, generation: number, root: string, fence: number): void =>
      catalog.replicas.note(row.id, chain, { generation, root, fence });
    note(sealed.gateway, state.root.generation, state.rootHash, state.root.fence);
    for (const { root, hash } of roots) note(root.id, root.generation, hash, root.fence);
  });
  return row;
}

/** The replica that this state was written to comes first, reached as now; the others as they were. All with this directory's writer. */
function replicaRows(
  { part }: RestoredState,
  { writer }: RestoreMark,
  source: Pick<Replica, "url" | "options">,
  now: () => Date,
): Replica[] {
  const known = part.replicas.find(({ id }) => id === part.replica);
  const row: Replica = {
    name: "restored",
    conditionalPuts: false,
    notes: [],
    bandwidth: "",
    schedule: "",
    parallel: 4,
    created: now().toISOString(),
    ...known,
    id: part.replica,
    options: { ...known?.options, ...source.options },
    url: source.url,
    // It may be another server by now.
    comparesSha256: false,
    writer,
  };
  const others = part.replicas.filter(({ id }) => id !== part.replica);
  return [row, ...others.map((other) => ({ ...other, writer }))];
}

/** keys/00000003.json -> 3 */
function generationOf(name: string): number {
  return Number(/[0-9]{8}/.exec(name)?.[0]);
}

/** Leaves a row in the new gateway's history: of the run that brings the restore to its end. @throws HoldfastError disk-full, io-error */
export async function noteRestore(
  path: string,
  restore: Pick<JobRow, "subject" | "started" | "result" | "figures">,
  now: Date,
): Promise<void> {
  const catalog = new Catalog(join(path, "catalog"));
  try {
    const rows = new JobRows(catalog.environment);
    const { jobsKept: keptMax, jobsDays: days } = settingsDefault;
    const row = { ...restore, kind: "restore-from", ended: now.toISOString(), failure: null } as const;
    rows.put({ ...row, id: rows.nextId() }, { keptMax, days }, now);
  } finally {
    await catalog.close();
  }
}

/** Writes gateway.json: from here on the directory is a gateway's. @throws HoldfastError disk-full, io-error */
export async function finishDataDir(path: string, { sealed, part }: RestoredState): Promise<void> {
  const identity: GatewayIdentity = {
    format: "holdfast-gateway",
    version: formats.newest,
    id: sealed.gateway,
    created: part.created,
    recoveryPublic: sealed.recoveryPublic,
    secret: sealed.secret,
  };
  await writeFileDurably(join(path, "gateway.json"), Buffer.from(`${JSON.stringify(identity, null, 1)}\n`));
  await syncDirectory(join(path, ".."));
}
