// Reads a replica in a folder: the newest roots, the manifest they name, and what its index segments say (docs/format.md, section 11.7).
// No folder is listed.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "@noble/hashes/sha2.js";
import { fromBase64, fromHex, hex, must } from "./cursor.ts";
import { openPublicBox, readRecoveryKey } from "./keys.ts";
import type { Place } from "./pack.ts";
import { derive } from "./primitives.ts";
import {
  gatewayRootKey,
  merkle,
  packHash,
  type Row,
  readCatalog,
  readPage,
  readRoot,
  readSegment,
  vaultRootKey,
} from "./replicaObjects.ts";

// biome-ignore lint/suspicious/noExplicitAny: JSON from outside, of which each used member is checked
type Json = any;

/** The newest generation of a chain: further and further on, then halving. */
function newestGeneration(folder: string): number {
  const there = (generation: number): boolean => existsSync(rootFile(folder, generation));
  let [low, step] = [0, 1];
  while (there(low + step)) {
    low += step;
    step *= 2;
  }
  let high = low + step;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (there(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function rootFile(folder: string, generation: number): string {
  return join(folder, "root", String(generation).padStart(10, "0"));
}

/** An object that a root or a page names, with its length and hash. */
function named(folder: string, { name, bytes, sha256: hash }: Json): Uint8Array {
  const object = Uint8Array.from(readFileSync(join(folder, name)));
  must(object.length === bytes && hex(sha256(object)) === hash, `${name} is not what names it`);
  return object;
}

/** The newest root, whose ancestors follow each other. */
function newestRoot(folder: string, chain: "vault" | "gateway", id: string, key: Uint8Array | null): Json {
  const newest = newestGeneration(folder);
  must(newest > 0, `${folder} has no root`);
  let previous = "0".repeat(64);
  let root: Json;
  for (let generation = 1; generation <= newest; generation++) {
    const object = Uint8Array.from(readFileSync(rootFile(folder, generation)));
    root = readRoot(object, chain, id, generation, key);
    must(root.previous === previous, `root ${generation} does not follow the one before`);
    previous = hex(sha256(object));
  }
  return root;
}

export type ReplicaVault = {
  /** Folder of the vault. */
  readonly folder: string;
  readonly root: Json;
  readonly document: Json;
  /** Text of the keys document. */
  readonly keys: string;
  readonly packs: readonly Row[];
  readonly snapshots: readonly Row[];
  readonly doomed: readonly Row[];
  /** Records by their pack's name. */
  readonly places: ReadonlyMap<string, readonly Place[]>;
  /** Text of the catalog; null without the metadata key. */
  readonly catalog: string | null;
};

/** Everything that the newest root of a vault names but packs and snapshots. Without the metadata key, MACs are not checked. */
export function readVault(replica: string, id: string, metadataKey: Uint8Array | null): ReplicaVault {
  const folder = join(replica, "vaults", id);
  const vaultId = fromHex(id, 16, "vault id");
  const root = newestRoot(folder, "vault", id, metadataKey && vaultRootKey(metadataKey, vaultId));
  const top = readPage(named(folder, root.manifest), 1).rows;
  const rowsOf = (type: number): Row[] =>
    top
      .filter((row) => row.type === type)
      .flatMap((row) => {
        const page = named(folder, { name: `manifest/${row.page}`, bytes: row.bytes, sha256: row.page });
        const { rows } = readPage(page, type);
        must(rows.length === row.rows, "a page has another number of rows than its top page says");
        must(type !== 2 || packHash(rows) === row.packHash, "another pack hash");
        return rows;
      });
  const [packs, snapshots, segments, doomed] = [rowsOf(2), rowsOf(3), rowsOf(4), rowsOf(5)] as const;
  must(packs.length === root.packs && snapshots.length === root.snapshots, "the root counts otherwise");
  must(packs.reduce((sum, { bytes }) => sum + Number(bytes), 0) === root.packBytes, "another sum of bytes");
  const hashes = top.filter((row) => row.type === 2).map((row) => String(row.packHash));
  must(merkle(hashes) === root.merkle, "the Merkle root is wrong");
  const gone = new Set(doomed.map(({ name }) => name));
  const kept = [
    ...packs.map(({ name }) => name),
    ...snapshots.map((row) => row.id),
    ...segments.map(({ name }) => name),
  ];
  must(!kept.some((name) => gone.has(name!)), "what is doomed is listed");
  const places = new Map<string, readonly Place[]>();
  for (const { name, bytes, packs: count } of segments) {
    const segment = readSegment(named(folder, { name: `index/${name}`, bytes, sha256: name }));
    must(segment.length === count, "a segment of another number of packs");
    for (const pack of segment) {
      must(!places.has(pack.name), "a pack in two segments");
      places.set(pack.name, pack.places);
    }
  }
  must(
    packs.every(({ name }) => places.has(String(name))),
    "a pack in no segment",
  );
  // Of packs that were doomed since.
  const listed = new Set(packs.map(({ name }) => String(name)));
  for (const name of [...places.keys()]) if (!listed.has(name)) places.delete(name);
  const catalog = named(folder, root.catalog);
  return {
    folder,
    root,
    document: JSON.parse(Buffer.from(named(folder, root.document)).toString("utf8")),
    keys: Buffer.from(named(folder, root.keys)).toString("utf8"),
    packs,
    snapshots,
    doomed,
    places,
    catalog: metadataKey && readCatalog(catalog, metadataKey, vaultId),
  };
}

/** What the gateway's recovery key opens: its secret, the metadata keys of its vaults, its catalog. */
export function readGateway(
  replica: string,
  id: string,
  recoveryKey: string,
): { sealed: Json; catalog: Json } {
  const folder = join(replica, "gateway");
  const { kind, privateKey } = readRecoveryKey(recoveryKey);
  must(kind === "HFG", "not a gateway's recovery key");
  // Its MAC can be checked only with what it names.
  const unproven = newestRoot(folder, "gateway", id, null);
  const document = JSON.parse(Buffer.from(named(folder, unproven.sealed)).toString("utf8"));
  must(
    document.format === "holdfast-gateway-sealed" && document.gateway === id,
    "sealed.json of another gateway",
  );
  const inside = openPublicBox(privateKey, `holdfast/gateway/${id}`, fromBase64(document.box, "box"));
  must(inside !== null, "the recovery key does not open sealed.json");
  const sealed = JSON.parse(Buffer.from(inside).toString("utf8"));
  const secret = fromBase64(sealed.secret, "secret");
  const gatewayId = fromHex(id, 16, "gateway id");
  // Anybody can seal something to the public half of the recovery key.
  must(
    Buffer.from(secret).equals(derive(privateKey, gatewayId, "holdfast gateway secret v1", 32)),
    "sealed.json was made by somebody else than its gateway",
  );
  const root = newestRoot(folder, "gateway", id, gatewayRootKey(secret, gatewayId));
  return { sealed, catalog: JSON.parse(readCatalog(named(folder, root.catalog), secret, gatewayId)) };
}
