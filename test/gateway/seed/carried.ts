// A datacentre and the box that was made from it, as copies of one data directory: the box takes a backup in, its packs are carried over.

import { readFileSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { packContents } from "../../../gateway/store/packRecords.ts";
import { PackKind } from "../../../vault/magic.ts";
import type { TrailerRow } from "../../../vault/pack/trailer.ts";
import { type ChunkGroup, encodeChunkList, prefixBytes } from "../../../vault/seed/chunkList.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import { GatewayFixture, type TestAccount, type TestDevice } from "../gatewayFixture.ts";

export const boxNumber = 7;

export type Carried = {
  readonly scratch: string;
  readonly datacentre: GatewayFixture;
  readonly box: GatewayFixture;
  readonly account: TestAccount;
  /** The same device at both. */
  readonly device: TestDevice;
  readonly atBox: TestDevice;
  remove(): Promise<void>;
};

/** `packBytesTarget`: of packs of the box. */
export async function carried(packBytesTarget?: number): Promise<Carried> {
  const scratch = await mkdtemp(join(tmpdir(), "holdfast-carried-"));
  const data = join(scratch, "datacentre");
  const datacentre = await GatewayFixture.create({}, data);
  const account = await datacentre.account("anna");
  const device = await datacentre.device(account, "laptop");
  await datacentre.stop();
  const boxData = join(scratch, "box");
  await cp(data, boxData, { recursive: true });
  await datacentre.start();
  const box = new GatewayFixture(boxData, packBytesTarget === undefined ? {} : { packBytesTarget });
  box.fingerprint = datacentre.fingerprint;
  await box.start();
  return {
    ...{ scratch, datacentre, box, account },
    device: { ...device, client: datacentre.client(device.token) },
    atBox: { ...device, client: box.client(device.token) },
    remove: async () => {
      await datacentre.stop();
      await box.stop();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

/** Closes the box's packs: its list of packs, and its list of chunks. */
export async function sealed({ box, account }: Carried): Promise<{ packs: SeedPackRow[]; chunks: Buffer }> {
  const vault = await box.gateway.vault(account.vault);
  await vault.store.closeOpenPacks();
  const packs: SeedPackRow[] = [];
  const rows: TrailerRow[] = [];
  for (const kind of ["data", "meta"] as const) {
    for (const { name, bytes, records, kind: found } of vault.store.packs.all()) {
      if (name === undefined || found !== kind) continue;
      packs.push({ name, bytes, records, kind: kind === "data" ? PackKind.data : PackKind.metadata });
      rows.push(...packContents(readFileSync(closedPackPath(boxVault(box, account), name))).rows);
    }
  }
  const groups: ChunkGroup[] = [...Map.groupBy(rows, ({ group }) => group)]
    .sort(([a], [b]) => a - b)
    .map(([group, members]) => {
      const prefixes = [...new Set(members.map(({ id }) => id.toString("hex", 0, prefixBytes)))].sort();
      return { group, count: prefixes.length, prefixes: [Buffer.from(prefixes.join(""), "hex")] };
    });
  const pieces: Buffer[] = [];
  for await (const piece of encodeChunkList(groups)) pieces.push(piece);
  return { packs, chunks: Buffer.concat(pieces) };
}

/** The directory of the account's vault at a gateway. */
export function boxVault(gateway: GatewayFixture, account: TestAccount): string {
  return join(gateway.path, "vaults", account.vault);
}
