// Boxes as their datacentre knows them, and a box as it knows itself.

import { statfs } from "node:fs/promises";
import { boxCode } from "../../vault/seed/boxCode.ts";
import { manifestHash } from "../../vault/seed/manifest.ts";
import { type BoxRow, noSuchBox } from "../catalog/boxes.ts";
import type { Gateway } from "../gateway.ts";
import { BoxState } from "./boxState.ts";
import { readManifest } from "./seal/sealBox.ts";

/** A box at its datacentre. */
export type BoxStatus = Pick<BoxRow, "number" | "id" | "name" | "kind" | "state" | "urls" | "created"> & {
  readonly accounts: readonly string[];
  readonly seal: number;
  readonly code: string | null;
  /** Chunks that are promised. */
  readonly promisedChunks: number;
  /** Snapshots that wait for it. */
  readonly pendingSnapshots: number;
};

/** A box at itself. */
export type OnBoard = {
  readonly box: number;
  readonly kind: BoxRow["kind"];
  readonly datacentre: string;
  readonly sealed: boolean;
  /** How often it was sealed. */
  readonly seals: number;
  readonly code: string | null;
  /** Whether the datacentre has accepted the newest seal. */
  readonly delivered: boolean;
  readonly packs: number;
  readonly packBytes: number;
  readonly snapshots: number;
  readonly chunks: number;
  readonly freeBytes: number;
};

export type SeedStatus = { readonly boxes: readonly BoxStatus[]; readonly onBoard: OnBoard | null };

/** @throws HoldfastError not-found for a number that no box has */
export async function seedStatus(gateway: Gateway, number?: number): Promise<SeedStatus> {
  const { boxes } = gateway.catalog;
  const rows = number === undefined ? boxes.list() : [boxes.get(number)];
  return {
    boxes: await Promise.all(
      rows.map((row) => {
        if (row === undefined) throw noSuchBox(number!);
        return statusOf(gateway, row);
      }),
    ),
    onBoard: gateway.dataDir.box === undefined ? null : await onBoard(gateway),
  };
}

async function statusOf(gateway: Gateway, row: BoxRow): Promise<BoxStatus> {
  let promisedChunks = 0;
  let pendingSnapshots = 0;
  for (const { account } of row.accounts) {
    for (const vault of await gateway.vaultsOf(account)) {
      const promised = vault.boxes.list().find(({ box, state }) => box === row.number && state === "open");
      promisedChunks += promised?.chunks ?? 0;
      const waiting = vault.catalog.waiting.list();
      pendingSnapshots += waiting.filter(([, waits]) => waits.some(({ box }) => box === row.number)).length;
    }
  }
  const { number, id, name, kind, state, urls, created, seal } = row;
  return {
    ...{ number, id, name, kind, state, urls, created },
    accounts: row.accounts.map(({ account }) => gateway.catalog.accounts.get(account)?.name ?? account),
    seal: seal?.seal ?? 0,
    code: seal === null ? null : boxCode(number, seal.manifest),
    promisedChunks,
    pendingSnapshots,
  };
}

async function onBoard(gateway: Gateway): Promise<OnBoard> {
  const box = gateway.dataDir.box!;
  const { bavail, bsize } = await statfs(gateway.dataDir.path);
  const sealed = await readManifest(gateway.dataDir.path, box);
  const { seals, delivered, staged } = new BoxState(gateway.catalog.environment).get();
  let [packs, packBytes, snapshots, chunks] = [0, 0, 0, 0];
  for (const { id } of gateway.catalog.vaults.list()) {
    const vault = await gateway.vault(id);
    for (const row of vault.store.packs.all()) {
      packs++;
      packBytes += row.bytes;
    }
    snapshots += vault.catalog.newestOrder();
    chunks += vault.store.index.count();
  }
  return {
    box: box.document.box,
    kind: box.document.kind,
    datacentre: box.document.datacentre.name,
    sealed: sealed !== undefined || staged?.whole === true,
    seals,
    code: sealed === undefined ? null : boxCode(box.document.box, manifestHash(sealed.bytes)),
    delivered: sealed !== undefined && delivered === sealed.manifest.seal,
    ...{ packs, packBytes, snapshots, chunks },
    freeBytes: bavail * bsize,
  };
}
