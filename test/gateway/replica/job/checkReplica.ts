// Reads a replica in a folder from its newest root on, with nothing but the format, and throws where anything that the root names is missing or wrong.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../../../vault/bytes.ts";
import { ManifestPageType } from "../../../../vault/magic.ts";
import { openSegmentPack, parseIndexSegment } from "../../../../vault/replica/indexSegment.ts";
import { parseManifestPage, type TopRow } from "../../../../vault/replica/manifestPage.ts";
import {
  type NamedObject,
  parseRoot,
  rootHash,
  type VaultRoot,
  vaultRootKey,
} from "../../../../vault/replica/root.ts";
import { openCatalog, vaultCatalogKey } from "../../../../vault/replica/sealedCatalog.ts";
import { merkleOf, packHash } from "../../../../vault/replica/treeHash.ts";

export type CheckedReplica = {
  readonly root: VaultRoot;
  readonly rootHash: string;
  /** Hex names, in the order of their rows. */
  readonly packs: readonly string[];
  readonly snapshots: readonly string[];
  readonly segments: readonly { readonly name: string; readonly packs: number }[];
  readonly doomed: readonly string[];
  readonly catalog: unknown;
};

function demand(holds: boolean, what: string): void {
  if (!holds) throw new Error(`replica: ${what}`);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** `vault`: 32 hex digits. Undefined where there is no root yet. `packBytes`: also hash every pack, which takes time. */
export function checkReplica(folder: string, vault: string, metadataKey: Buffer): CheckedReplica | undefined {
  const base = join(folder, "vaults", vault);
  const id = Buffer.from(vault, "hex");
  const roots = existsSync(join(base, "root")) ? readdirSync(join(base, "root")).sort() : [];
  if (roots.length === 0) return undefined;
  let previous = "00".repeat(32);
  let root: VaultRoot | undefined;
  let fence = 0;
  for (const [i, name] of roots.entries()) {
    demand(name === String(i + 1).padStart(10, "0"), `root ${i + 1} is missing`);
    const bytes = readFileSync(join(base, "root", name));
    root = parseRoot(bytes, { chain: "vault", id: vault, generation: i + 1 }, vaultRootKey(metadataKey, id));
    demand(root.previous === previous && root.fence >= fence, `root ${i + 1} does not follow the one before`);
    previous = rootHash(bytes);
    ({ fence } = root);
  }
  const newest = root as VaultRoot;
  const read = ({ name, bytes, sha256: hash }: NamedObject): Buffer => {
    const found = readFileSync(join(base, name));
    demand(found.length === bytes && sha256(found) === hash, `${name} is not what is named`);
    return found;
  };
  read(newest.document);
  read(newest.keys);
  const catalog = JSON.parse(openCatalog(read(newest.catalog), vaultCatalogKey(metadataKey, id)).toString());
  const top = parseManifestPage(ManifestPageType.top, read(newest.manifest)).rows;
  const page = (row: TopRow): Buffer => {
    const hash = toHex(row.page);
    return read({ name: `manifest/${hash}`, bytes: row.bytes, sha256: hash });
  };
  const pages = <Type extends TopRow["type"]>(type: Type) =>
    top.filter((row) => row.type === type).map((row) => parseManifestPage(type, page(row)).rows);
  const packPages = pages(ManifestPageType.packs);
  const packs = packPages.flat().map((row) => ({ name: toHex(row.name), bytes: row.bytes }));
  demand(new Set(packs.map(({ name }) => name)).size === packs.length, "a pack is listed twice");
  demand(packs.length === newest.packs, "the root's number of packs");
  demand(toHex(merkleOf(packPages.map((rows) => packHash(rows)))) === newest.merkle, "the root's tree hash");
  for (const { name, bytes } of packs)
    read({ name: `packs/${name.slice(0, 2)}/${name}`, bytes, sha256: name });
  const inSegments = new Set<string>();
  const listed = new Set(packs.map(({ name }) => name));
  const segments = pages(ManifestPageType.segments)
    .flat()
    .map((row) => {
      const name = toHex(row.name);
      const entries = parseIndexSegment(read({ name: `index/${name}`, bytes: row.bytes, sha256: name }));
      demand(entries.length === row.packs, `segment ${name} has another number of packs`);
      for (const entry of entries) {
        openSegmentPack(entry);
        const pack = toHex(entry.name);
        demand(!inSegments.has(pack), `pack ${pack} is in two segments`);
        inSegments.add(pack);
        // One that was doomed since may be gone.
        if (!listed.has(pack)) continue;
        const file = readFileSync(join(base, "packs", pack.slice(0, 2), pack));
        demand(file.subarray(file.length - entry.tail.length).equals(entry.tail), `the tail of pack ${pack}`);
      }
      return { name, packs: row.packs };
    });
  demand(
    packs.every(({ name }) => inSegments.has(name)),
    "packs of segments",
  );
  const snapshots = pages(ManifestPageType.snapshots)
    .flat()
    .map((row) => {
      const name = toHex(row.id);
      read({ name: `snapshots/${name}`, bytes: row.bytes, sha256: name });
      return name;
    });
  demand(new Set(snapshots).size === snapshots.length, "a snapshot is listed twice");
  demand(snapshots.length === newest.snapshots, "the root's number of snapshots");
  const doomed = pages(ManifestPageType.doomed)
    .flat()
    .map((row) => toHex(row.name));
  return {
    root: newest,
    rootHash: previous,
    packs: packs.map(({ name }) => name),
    snapshots,
    segments,
    doomed,
    catalog,
  };
}
