// Brings a data directory of an older format to the newest, and puts it back where that fails (docs/upgrades.md).
//
// Invariants
// - Order: the copy is whole; gateway.json says the new format and `upgrading`, so that an older program refuses the directory; the databases change;
//   `upgrading` goes. Each step is durable before the next.
// - A directory whose gateway.json says `upgrading` is put back before anything else is done with it.

import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { DataDir } from "../dataDir.ts";
import { lockDirectory } from "../dataLock.ts";
import { openIndexEnvironment } from "../index/environment.ts";
import { databaseKey } from "../seed/boxDirectory.ts";
import { writeFileDurably } from "../store/files.ts";
import { type Copy, listCopies, makeCopy, putBack, vaultFolders } from "./copies.ts";
import { type Formats, formats, type Migration } from "./formats.ts";

export type UpgradeOptions = {
  /** Upgrade a data directory of an older format (docs/upgrades.md); else it is refused. */
  readonly upgrades?: boolean;
  /** Formats of data directories that are known; for tests. */
  readonly formats?: Formats;
};

type OpenOptions = UpgradeOptions & { readonly now: () => Date; readonly logger: Logger };

type UpgradePort = {
  readonly formats: Formats;
  readonly now: () => Date;
  readonly report: (event: string, facts: Readonly<Record<string, unknown>>) => void;
};

/**
 * A data directory as `read` reads it, in the newest format. The caller holds the lock, and has no database of it open.
 * @throws HoldfastError unsupported where it is older and may not be upgraded; disk-full with nothing changed; io-error; what a migration fails
 * with: everything is as before then
 */
export async function inNewestFormat(
  read: () => Promise<DataDir>,
  { formats: known = formats, upgrades = false, now, logger }: OpenOptions,
): Promise<DataDir> {
  const dataDir = await read();
  const { version, upgrading } = dataDir.identity;
  if (version === known.newest && upgrading === undefined) return dataDir;
  if (!upgrades) refuseOlder(dataDir, known);
  await upgradeDataDir(dataDir, { formats: known, now, report: (event, facts) => logger.info(facts, event) });
  return await read();
}

async function upgradeDataDir(dataDir: DataDir, port: UpgradePort): Promise<void> {
  const { path, identity, settings } = dataDir;
  const { formats, now, report } = port;
  let from = identity.version;
  if (identity.upgrading !== undefined) {
    from = identity.upgrading;
    await putBack(path, from);
    report("upgrade-undone", { from });
  }
  const to = formats.newest;
  const copy: Copy = { from, to, at: now().toISOString() };
  const { bytes } = await makeCopy(path, copy, settings.reserveMiB * 2 ** 20);
  report("upgrade-begins", { from, to, copiedBytes: bytes });
  await writeFormat(path, to, from);
  const steps = formats.migrations.filter((step) => step.to > from && step.to <= to);
  try {
    for (const step of steps.toSorted((a, b) => a.to - b.to)) {
      report("upgrade-step", { to: step.to, what: step.what });
      await migrate(dataDir, step);
    }
  } catch (error) {
    await putBack(path, from);
    report("upgrade-undone", { from });
    const why = isHoldfastError(error) ? error.message : String(error);
    throw new HoldfastError(
      isHoldfastError(error) ? error.code : ErrorCode.internal,
      `${path} could not be upgraded: ${why}`,
      {
        next: "Everything is as it was before: the former version works. Report this.",
        cause: error,
      },
    );
  }
  await writeFormat(path, to, undefined);
  report("upgrade-done", { from, to, copy: join(path, "before-upgrade", String(from)) });
}

async function migrate(dataDir: DataDir, step: Migration): Promise<void> {
  const { path } = dataDir;
  const run = async (
    folder: string,
    name: string,
    work: NonNullable<Migration["catalog"]>,
  ): Promise<void> => {
    const environment = openIndexEnvironment(join(path, folder), databaseKey(dataDir, name));
    try {
      await work(environment);
    } finally {
      await environment.close();
    }
  };
  if (step.catalog !== undefined) await run("catalog", "catalog", step.catalog);
  const { vault } = step;
  if (vault === undefined) return;
  for (const id of await vaultFolders(path)) {
    if (!existsSync(join(path, "vaults", id, "index", "data.mdb"))) continue;
    await run(join("vaults", id, "index"), `vaults/${id}/index`, (each) => vault(each, id));
  }
}

async function writeFormat(path: string, version: number, upgrading: number | undefined): Promise<void> {
  const file = join(path, "gateway.json");
  const { upgrading: _before, ...identity } = JSON.parse(await readFile(file, "utf8")) as Record<
    string,
    unknown
  >;
  const now = { ...identity, version, ...(upgrading !== undefined && { upgrading }) };
  await writeFileDurably(file, Buffer.from(`${JSON.stringify(now, null, 1)}\n`));
}

/** @throws HoldfastError unsupported: only a gateway that is started upgrades its directory */
function refuseOlder({ path, identity }: DataDir, { newest }: Formats): never {
  const found =
    identity.upgrading === undefined ? `is of format ${identity.version}` : "is in the middle of an upgrade";
  throw new HoldfastError(
    ErrorCode.unsupported,
    `${path} ${found}, and this program works on format ${newest}`,
    {
      next: "Start its gateway once (holdfast gateway run): that upgrades it, and keeps a copy of what was.",
    },
  );
}

export type RolledBack = {
  readonly copy: Copy;
  /** Files of packs and of snapshots that were written after the copy: an index made anew takes them in. */
  readonly newerFiles: number;
};

/**
 * Goes back to what was before the last upgrade; `dryRun` only says which that is. Packs and snapshots that came since stay where they are.
 * @throws HoldfastError data-dir-locked; not-found where nothing was upgraded; io-error, disk-full
 */
export async function rollBack(path: string, dryRun: boolean): Promise<RolledBack> {
  const copy = (await listCopies(path)).at(-1);
  if (copy === undefined) {
    throw new HoldfastError(ErrorCode.notFound, `${path} has no copy from before an upgrade`, {
      next: "Nothing was upgraded there, or the copy was removed.",
    });
  }
  const lock = await lockDirectory(path);
  try {
    const newerFiles = await filesSince(path, Date.parse(copy.at));
    if (!dryRun) await putBack(path, copy.from);
    return { copy, newerFiles };
  } finally {
    lock.release();
  }
}

async function filesSince(path: string, sinceMs: number): Promise<number> {
  let count = 0;
  for (const id of await vaultFolders(path)) {
    for (const folder of ["packs", "open", "snapshots"]) {
      const full = join(path, "vaults", id, folder);
      const entries = await readdir(full, { recursive: true, withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        if (entry.isFile() && (await stat(join(entry.parentPath, entry.name))).mtimeMs > sinceMs) count++;
      }
    }
  }
  return count;
}
