// Stage-restore in the gateway's own process.

import { createReadStream } from "node:fs";
import { checkName } from "../../ingest/wire/names.ts";
import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import type { Snapshot } from "../catalog/vaultCatalog.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";
import { addressesOf } from "../seed/prepare/planBox.ts";
import { pathRecords } from "../seed/stage/pathRecords.ts";
import { PrefixSet } from "../seed/stage/prefixSet.ts";
import { type SelectionRoots, selectRecords, wholeSnapshot } from "../seed/stage/selection.ts";
import { type StagedVault, stageBox } from "../seed/stage/stageBox.ts";
import { fileError } from "../store/files.ts";
import { bytes, checkKdf } from "./requestChecks.ts";
import type { StageOperations, StageReport, StageRequest } from "./stageOperations.ts";

type Chosen = { readonly vault: OpenVault; readonly snapshot: Snapshot; readonly path: readonly Buffer[] };

export class StageAdministration implements StageOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  readonly stage: StageOperations["stage"] = async (request, watch) => {
    const { catalog, dataDir } = this.#gateway;
    if (dataDir.box !== undefined) {
      throw new HoldfastError(ErrorCode.forbidden, "this is a box; its datacentre makes boxes that restore");
    }
    const urls = addressesOf(request);
    const chosen = await Promise.all(request.snapshots.map((each) => this.#chosen(each)));
    if (chosen.length === 0)
      throw new HoldfastError(ErrorCode.usage, "name the snapshots that the box is to restore");
    const need = request.need === undefined ? undefined : await neededList(request.need);
    const staged: StagedVault[] = [];
    for (const [vault, of] of Map.groupBy(chosen, (each) => each.vault)) {
      const roots = await Promise.all(of.map((each) => this.#rootsOf(each)));
      const snapshots = [...new Map(of.map(({ snapshot }) => [snapshot.id, snapshot])).values()];
      // In the order of their commits, as a catalog has them.
      snapshots.sort((a, b) => (a.received < b.received ? -1 : 1));
      staged.push({ vault, snapshots, selection: await selectRecords(vault, roots, need) });
    }
    const report = this.#report(staged);
    if (request.key === undefined) return report;
    checkKdf(request.key.kdf);
    const accounts = [...new Set(staged.map(({ vault }) => catalog.vaults.get(vault.id)!.account))];
    const made = await stageBox(
      this.#gateway,
      {
        directory: request.directory,
        kind: "restore",
        accounts: accounts.map((account) => ({ account, devices: null })),
        name: request.name === undefined ? undefined : checkName(request.name, "box"),
        listen: request.listen,
        urls,
        datacentreUrls: this.#gateway.homes.directory().urls,
        kdf: request.key.kdf,
        r: bytes(request.key.r, 24, "r"),
        by: request.by,
      },
      staged,
      watch,
    );
    return { ...report, ...made };
  };

  #report(staged: readonly StagedVault[]): StageReport {
    const { devices } = this.#gateway.catalog;
    const sum = (of: (each: StagedVault["selection"]) => number): number =>
      staged.reduce((total, { selection }) => total + of(selection), 0);
    return {
      box: null,
      snapshots: staged.flatMap(({ vault, snapshots }) =>
        snapshots.map(({ id, device, item, received }) => ({
          ...{ id, received, device: devices.get(device)?.name ?? device },
          item: vault.catalog.item(item)?.name ?? item,
        })),
      ),
      records: sum(({ data, metadata }) => data.length + metadata.length),
      bytes: sum((selection) => selection.bytes),
      leftOut: sum(({ leftOut }) => [...leftOut.values()].reduce((total, { length }) => total + length, 0)),
      lacking: sum(({ lacking }) => lacking),
    };
  }

  /** @throws HoldfastError not-found, usage for a beginning of several ids */
  async #chosen({ snapshot: name, path }: StageRequest["snapshots"][number]): Promise<Chosen> {
    const found: { vault: OpenVault; snapshot: Snapshot }[] = [];
    for (const { id } of this.#gateway.catalog.vaults.list()) {
      const vault = await this.#gateway.vault(id);
      for (const snapshot of vault.catalog.snapshots()) {
        if (snapshot.id.startsWith(name)) found.push({ vault, snapshot });
      }
    }
    const [only, ...others] = found;
    if (only === undefined || name === "") {
      throw new HoldfastError(ErrorCode.notFound, `there is no snapshot ${name}`, {
        next: "`holdfast agent snapshots` shows their ids.",
      });
    }
    if (others.length > 0) {
      throw new HoldfastError(ErrorCode.usage, `${found.length} snapshots begin with ${name}`, {
        next: "Write more of the id.",
      });
    }
    return {
      ...only,
      path: path
        .split("/")
        .filter((part) => part !== "")
        .map((part) => Buffer.from(part)),
    };
  }

  async #rootsOf({ vault, snapshot, path }: Chosen): Promise<SelectionRoots> {
    if (path.length === 0) return wholeSnapshot(snapshot);
    const { group, root } = snapshot;
    const keys = this.#gateway.unlocked.keys(vault.id);
    return { group, ...(await pathRecords({ vault, keys, group }, fromHex(root, Width.id), path)) };
  }
}

async function neededList(path: string): Promise<PrefixSet> {
  try {
    return await PrefixSet.read(createReadStream(path) as AsyncIterable<Uint8Array>);
  } catch (error) {
    throw fileError(error, path);
  }
}
