// A box and what it seals, made of fixed bytes: for tests and for the golden vector.

import { toHex } from "../../../vault/bytes.ts";
import { publicKeyOf } from "../../../vault/keys/box.ts";
import { SigningKey } from "../../../vault/keys/signature.ts";
import { PackKind, SeedListType } from "../../../vault/magic.ts";
import { boxUnlockKey } from "../../../vault/seed/boxDocument.ts";
import { encodeListHeader } from "../../../vault/seed/listHeader.ts";
import { type SeedManifest, seedSigningSeed } from "../../../vault/seed/manifest.ts";
import { encodePackRow, type SeedPackRow } from "../../../vault/seed/packList.ts";
import { encodeSnapshotRow, type SeedSnapshot } from "../../../vault/seed/snapshotList.ts";
import { seededBytes } from "../seeded.ts";

const hex = (name: string, bytes: number): string => toHex(seededBytes(`seed ${name}`, bytes));

export const boxId = hex("box", 16);
export const datacentreId = hex("datacentre", 16);
export const boxKey: Buffer = seededBytes("seed box key", 32);
export const unlockKey: Buffer = boxUnlockKey(
  seededBytes("seed datacentre secret", 32),
  Buffer.from(datacentreId, "hex"),
);

export const facts = {
  kind: "seed",
  box: 7,
  id: boxId,
  created: "2026-11-25T10:00:00.000Z",
  datacentre: {
    id: datacentreId,
    name: "dc",
    public: publicKeyOf(unlockKey).toString("base64"),
    signer: hex("signer", 32),
  },
} as const;

export const signer: SigningKey = new SigningKey(
  seedSigningSeed(seededBytes("seed box secret", 32), Buffer.from(boxId, "hex")),
);

const list = (name: string) => ({ bytes: 1000, sha256: hex(name, 32) });
export const manifest: SeedManifest = {
  kind: "seed",
  box: 7,
  id: boxId,
  datacentre: datacentreId,
  seal: 2,
  time: "2026-11-25T11:00:00.000Z",
  vaults: [
    {
      id: hex("vault", 16),
      account: hex("account", 16),
      packs: 2,
      packBytes: 5000,
      snapshots: 2,
      chunks: 3,
      lists: {
        packs: list("packs"),
        snapshots: list("snapshots"),
        chunks: list("chunks"),
        catalog: list("catalog"),
        keys: list("keys"),
      },
    },
  ],
  custody: { entries: 3, sha256: hex("custody", 32) },
};

export const packs: readonly SeedPackRow[] = [
  { name: seededBytes("seed pack 1", 32), bytes: 4000, kind: PackKind.data, records: 12 },
  { name: seededBytes("seed pack 2", 32), bytes: 1000, kind: PackKind.metadata, records: 3 },
];

export const snapshots: readonly SeedSnapshot[] = [
  { receivedMs: 1_795_000_000_000, object: seededBytes("seed snapshot 1", 200) },
  { receivedMs: 1_795_000_001_000, object: seededBytes("seed snapshot 2", 300) },
];

export function packListBytes(rows: readonly SeedPackRow[] = packs): Buffer {
  return Buffer.concat([encodeListHeader(SeedListType.packs, rows.length), ...rows.map(encodePackRow)]);
}

export function snapshotListBytes(rows: readonly SeedSnapshot[] = snapshots): Buffer {
  return Buffer.concat([
    encodeListHeader(SeedListType.snapshots, rows.length),
    ...rows.map(encodeSnapshotRow),
  ]);
}

/** `bytes` in pieces of a length. */
export async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
