// Objects of a replica with fixed content, for tests and for the golden vectors.
import { toHex } from "../../../vault/bytes.ts";
import { PackKind } from "../../../vault/magic.ts";
import { encodeFooter } from "../../../vault/pack/footer.ts";
import { encodePackHeader } from "../../../vault/pack/packHeader.ts";
import { encodeTrailer } from "../../../vault/pack/trailer.ts";
import type { SegmentPack } from "../../../vault/replica/indexSegment.ts";
import type { Receipt } from "../../../vault/replica/receipt.ts";
import { type GatewayRoot, noPrevious, type VaultRoot } from "../../../vault/replica/root.ts";
import { seededBytes, seededId } from "../seeded.ts";

export const vaultId: string = toHex(seededBytes("replica vault", 16));
export const gatewayId: string = toHex(seededBytes("replica gateway", 16));
export const metadataKey: Buffer = seededBytes("replica metadata key", 32);
export const gatewaySecret: Buffer = seededBytes("replica gateway secret", 32);

const sha = (label: string): string => toHex(seededId(label));

const anyRoot = {
  writer: toHex(seededBytes("replica writer", 16)),
  fence: 1,
  nonce: toHex(seededBytes("replica nonce", 16)),
  time: "2026-11-25T20:00:00Z",
  features: { read: [] },
};

export const vaultRoot: VaultRoot = {
  chain: "vault",
  id: vaultId,
  generation: 1,
  previous: noPrevious,
  ...anyRoot,
  document: { name: "vault.json", bytes: 500, sha256: sha("document") },
  keys: { name: "keys/00000001.json", bytes: 900, sha256: sha("keys") },
  catalog: { name: `catalog/${sha("catalog")}`, bytes: 1200, sha256: sha("catalog") },
  manifest: { name: `manifest/${sha("manifest")}`, bytes: 104, sha256: sha("manifest") },
  packs: 2,
  packBytes: 70_000_000,
  snapshots: 1,
  merkle: sha("merkle"),
};

export const gatewayRoot: GatewayRoot = {
  chain: "gateway",
  id: gatewayId,
  generation: 2,
  previous: sha("the first"),
  ...anyRoot,
  sealed: { name: `sealed/${sha("sealed")}`, bytes: 3000, sha256: sha("sealed") },
  catalog: { name: `catalog/${sha("catalog")}`, bytes: 1200, sha256: sha("catalog") },
};

export const receipt: Omit<Receipt, "signer"> = {
  vault: vaultId,
  snapshot: sha("snapshot"),
  replica: toHex(seededBytes("replica id", 16)),
  generation: 7,
  root: sha("root"),
  merkle: sha("merkle"),
  packs: 2,
  packBytes: 70_000_000,
  proof: "read-back",
  time: "2026-11-25T20:00:01Z",
};

/** A pack as a segment knows it, with that many records. */
export function segmentPack(label: string, records: number): SegmentPack {
  const nonce = seededBytes(`${label} nonce`, 16);
  const rows = Array.from({ length: records }, (_, i) => ({
    id: seededId(`${label} ${i}`),
    offset: 96 + i * 1064,
    length: 1000,
    group: i,
    writer: seededBytes(`writer ${i % 2}`, 16),
    type: 1 as const,
    hash16: seededBytes(`${label} hash ${i}`, 16),
  }));
  const trailer = encodeTrailer(rows);
  const trailerOffset = 32 + records * 1064;
  const footer = encodeFooter({ kind: PackKind.data, nonce, trailerOffset, trailer });
  return {
    name: seededId(label),
    bytes: trailerOffset + trailer.length + footer.length,
    header: encodePackHeader({ kind: PackKind.data, nonce }),
    tail: Buffer.concat([trailer, footer]),
  };
}
