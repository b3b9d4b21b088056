// Stage-restore in the gateway's own process.

import { createReadStream } from "node:fs";
import { checkName } from "../../ingest/wire/names.ts";
import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import { textToPath } from "../../vault/pathText.ts";
import type { Snapshot } from "../catalog/vaultCatalog.ts";
import type { Gateway } from "../gateway.ts";
import type { ShownProgress } from "../jobs/shownProgress.ts";
import type { OpenVault } from "../openVault.ts";
import { addressesOf, freeBytes } from "../seed/prepare/planBox.ts";
import type { BoxPlan } from "../seed/prepare/prepareBox.ts";
import { pathRecords } from "../seed/stage/pathRecords.ts";
import { PrefixSet } from "../seed/stage/prefixSet.ts";
import { sampleRecords } from "../seed/stage/sampleRecords.ts";
import {
  lacks,
  type SelectionRoots,
  type SelectionWatch,
  selectRecords,
  wholeSnapshot,
} from "../seed/stage/selection.ts";
import { begunBefore, stageBox } from "../seed/stage/stageBox.ts";
import type { StagedVault } from "../seed/stage/stageVault.ts";
import { settingsDefault } from "../settings.ts";
import { fileError } from "../store/files.ts";
import { whileHeld } from "../store/vaultHolds.ts";
import { findSnapshots } from "./findSnapshots.ts";
import { bytes, checkKdf } from "./requestChecks.ts";
import type { StageOperations, StageProgress, StageReport, StageRequest } from "./stageOperations.ts";

type Chosen = {
  readonly vault: OpenVault;
  readonly snapshot: Snapshot;
  readonly path: readonly Buffer[];
  readonly roots: SelectionRoots;
};

type Asked = {
  readonly urls: readonly string[];
  readonly need: PrefixSet | undefined;
  readonly chosen: readonly Chosen[];
};

type Staged = StagedVault & { readonly lackingIn: readonly string[] };

export class StageAdministration implements StageOperations {
  readonly #gateway: Gateway;
  /** Directories that boxes are being made in. */
  readonly #running = new Set<string>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  readonly stage: StageOperations["stage"] = async (request, watch) => {
    if (this.#gateway.dataDir.box !== undefined) {
      throw new HoldfastError(ErrorCode.forbidden, "this is a box; its datacentre makes boxes that restore");
    }
    const urls = addressesOf(request);
    if (request.key !== undefined) checkKdf(request.key.kdf);
    const need = request.need.length === 0 ? undefined : await neededLists(request.need);
    const chosen: Chosen[] = [];
    for (const each of request.snapshots) chosen.push(await this.#chosen(each));
    const vaults = new Set(chosen.map(({ vault }) => vault));
    // Ordinals and places of what is chosen are relied on to the end.
    return await whileHeld([...vaults], "a box to restore from", () =>
      this.#stage(request, watch, { urls, need, chosen }),
    );
  };

  async #stage(
    request: StageRequest,
    watch: Parameters<StageOperations["stage"]>[1],
    { urls, need, chosen }: Asked,
  ): ReturnType<StageOperations["stage"]> {
    const staged: Staged[] = [];
    const onLooked: SelectionWatch["onLooked"] = (phase, recordsDone, records) =>
      watch.onProgress({ phase, recordsDone, records, bytes: 0, bytesDone: 0 });
    for (const [vault, of] of Map.groupBy(chosen, (each) => each.vault)) {
      const selection = await selectRecords(
        vault,
        of.map(({ roots }) => roots),
        { need, signal: watch.signal, onLooked },
      );
      const ids = new Set(of.map(({ snapshot }) => snapshot.id));
      const snapshots = vault.catalog
        .snapshots()
        .filter(({ id }) => ids.has(id))
        .reverse();
      const lackingIn = new Set<string>();
      for (const { snapshot, roots } of of) {
        if (await lacks(vault, roots, selection.lacking, watch.signal)) lackingIn.add(snapshot.id);
      }
      staged.push({ vault, snapshots, selection, lackingIn: [...lackingIn] });
    }
    const sample = request.measure === true ? await sampleOf(staged, watch.signal) : null;
    const report = { ...this.#report(staged), sample, freeBytes: await freeBytes(request.directory) };
    if (request.key === undefined) return report;
    const box = await this.#alone(request.directory, () =>
      this.#gateway.jobs.run(
        { kind: "seed-stage", subject: request.directory },
        { ...watch, shown: stageShown },
        (watch) => this.#make(request, urls, chosen, staged, watch),
        () => ({
          figures: { snapshots: report.snapshots.length, records: report.records, bytes: report.bytes },
          warnings: report.lacking > 0,
        }),
      ),
    );
    return { ...report, box };
  }

  async #make(
    request: StageRequest,
    urls: readonly string[],
    chosen: readonly Chosen[],
    staged: readonly Staged[],
    watch: Parameters<StageOperations["stage"]>[1],
  ): Promise<NonNullable<StageReport["box"]>> {
    const { directory, listen, by, name } = request;
    const key = request.key!;
    const { catalog, homes } = this.#gateway;
    const accounts = [...new Set(staged.map(({ vault }) => catalog.vaults.get(vault.id)!.account))];
    const box: BoxPlan = {
      ...{ directory, listen, urls, by, kind: "restore" },
      accounts: accounts.map((account) => ({ account, devices: null })),
      name: name === undefined ? undefined : checkName(name, "box"),
      datacentreUrls: homes.directory().urls,
      kdf: key.kdf,
      r: bytes(key.r, 24, "r"),
    };
    // The box keeps some room free, like any gateway.
    const reserve = settingsDefault.reserveMiB * 2 ** 20;
    const wanted = staged.reduce((sum, { selection }) => sum + selection.bytes, reserve);
    await requireRoom(this.#gateway, directory, wanted);
    const names = chosen.map(({ snapshot, path }) => `${snapshot.id}:${path.map(String).join("/")}`);
    return await stageBox(this.#gateway, { box, vaults: staged, chosen: names }, watch);
  }

  async #alone<T>(directory: string, work: () => Promise<T>): Promise<T> {
    if (this.#running.has(directory)) {
      throw new HoldfastError(ErrorCode.busy, `a box is being made in ${directory} already`, {
        next: "Wait until that is done, or stop it.",
      });
    }
    this.#running.add(directory);
    try {
      return await work();
    } finally {
      this.#running.delete(directory);
    }
  }

  #report(staged: readonly Staged[]): Omit<StageReport, "sample" | "freeBytes"> {
    const { devices } = this.#gateway.catalog;
    const sum = (of: (each: StagedVault["selection"]) => number): number =>
      staged.reduce((total, { selection }) => total + of(selection), 0);
    return {
      box: null,
      snapshots: staged.flatMap(({ vault, snapshots, lackingIn }) =>
        snapshots.map(({ id, device, item, received }) => ({
          ...{ id, received, device: devices.get(device)?.name ?? device },
          item: vault.catalog.item(item)?.name ?? item,
          isLacking: lackingIn.includes(id),
        })),
      ),
      records: sum(({ data, metadata }) => data.count + metadata.count),
      bytes: sum((selection) => selection.bytes),
      leftOut: sum(({ leftOut, lacking }) => leftOut.size - lacking.size),
      lacking: sum(({ lacking }) => lacking.size),
    };
  }

  /** @throws HoldfastError not-found; usage for what is no id, and for a beginning of several; vault-locked for a path of a locked vault */
  async #chosen({ snapshot: name, path: written }: StageRequest["snapshots"][number]): Promise<Chosen> {
    const [only] = await findSnapshots(this.#gateway, [name]);
    if (only === undefined) throw new Error("a name that was found led nowhere");
    const path = written
      .split("/")
      .filter((part) => part !== "")
      .map((part) => textToPath(part));
    return { ...only, path, roots: await this.#rootsOf(only.vault, only.snapshot, path) };
  }

  async #rootsOf(vault: OpenVault, snapshot: Snapshot, path: readonly Buffer[]): Promise<SelectionRoots> {
    if (path.length === 0) return wholeSnapshot(snapshot);
    const { group, root } = snapshot;
    const keys = this.#gateway.unlocked.keys(vault.id);
    return { group, ...(await pathRecords({ vault, keys, group }, fromHex(root, Width.id), path)) };
  }
}

async function sampleOf(staged: readonly Staged[], signal: AbortSignal): Promise<StageReport["sample"]> {
  let [bytes, seconds] = [0, 0];
  for (const { vault, selection } of staged) {
    const sample = await sampleRecords(vault, selection, signal);
    bytes += sample?.bytes ?? 0;
    seconds += sample?.seconds ?? 0;
  }
  return { bytes, seconds };
}

/** A run that goes on has taken its room already. @throws HoldfastError disk-full */
async function requireRoom(gateway: Gateway, directory: string, wanted: number): Promise<void> {
  const free = await freeBytes(directory);
  if (free === null || free > wanted || (await begunBefore(gateway, directory)) !== undefined) return;
  throw new HoldfastError(
    ErrorCode.diskFull,
    `the box needs ${wanted} bytes; ${free} are free in ${directory}`,
    {
      next: "Take a larger disk, fewer snapshots, or leave out what the target still has (--need).",
      detail: { path: directory },
    },
  );
}

async function neededLists(paths: readonly string[]): Promise<PrefixSet> {
  const set = new PrefixSet();
  for (const path of paths) {
    try {
      await set.add(createReadStream(path) as AsyncIterable<Uint8Array>);
    } catch (error) {
      throw fileError(error, path);
    }
  }
  return set;
}

function stageShown({ phase, records, recordsDone, bytes, bytesDone }: StageProgress): ShownProgress {
  const counts = { unit: "record", done: recordsDone, ...(records !== null && { total: records }) };
  return { phase, ...counts, bytes: bytesDone, totalBytes: bytes };
}
