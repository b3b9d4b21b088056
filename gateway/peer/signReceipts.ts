// Receipts: this gateway looks whether it holds every pack of a root, hashed since it arrived, and signs that (docs/format.md, section 11.5).
//
// That a root is its owner's cannot be seen here: a receipt speaks of the root whose hash it names, and its owner knows whether that is one.

import type { ReceiptsRequest } from "../../ingest/wire/peer.ts";
import { equalBytes, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { ManifestPageType } from "../../vault/magic.ts";
import { parseManifestPage, type TopRow } from "../../vault/replica/manifestPage.ts";
import type { ReceiptSigner } from "../../vault/replica/receipt.ts";
import type { VaultRoot } from "../../vault/replica/root.ts";
import { merkleOf, packHash } from "../../vault/replica/treeHash.ts";
import { namedKey, packKey, rootKey, vaultFolder } from "../replica/keys.ts";
import { readPage, readRoot, readTop } from "./chainReader.ts";
import { notThere, type PeerFolder } from "./peerFolder.ts";

/** Objects that are looked at at a time. */
const looksAtATime = 16;
/** Objects that an error names. */
const namedMax = 100;

type Asked = ReceiptsRequest & { readonly vault: string };

/**
 * One receipt for each snapshot asked for.
 * @throws HoldfastError not-found for a root that is not here or a snapshot that it does not list; sequence-conflict when it is another root, or not the
 *   newest; replica-damaged when something that it lists is not here (detail `missing`: keys, at most 100); cancelled
 */
export async function signReceipts(
  folder: PeerFolder,
  signer: ReceiptSigner,
  asked: Asked,
  signal: AbortSignal,
): Promise<string[]> {
  const { vault, generation, replica, snapshots } = asked;
  const chain = vaultFolder(vault);
  const stored = await readRoot(folder, chain, generation);
  if (stored === undefined) throw notThere();
  const newer = await folder.find(rootKey(chain, generation + 1));
  if (stored.sha256 !== asked.root || newer !== undefined || stored.root.chain !== "vault") {
    throw new HoldfastError(ErrorCode.sequenceConflict, "another root is the newest here");
  }
  const wanted = new Set(snapshots);
  const { root } = stored;
  await checkAll(folder, chain, root, { vault, signal, wanted });
  const time = folder.now().toISOString();
  const { merkle, packs, packBytes } = root;
  return snapshots.map((snapshot) =>
    signer
      .sign({
        vault,
        snapshot,
        replica,
        generation,
        root: stored.sha256,
        merkle,
        packs,
        packBytes,
        proof: "peer",
        time,
      })
      .toString("latin1"),
  );
}

/** Looks for everything that a root names, and for the snapshots that are to be listed. */
async function checkAll(
  folder: PeerFolder,
  chain: string,
  root: VaultRoot,
  context: { readonly vault: string; readonly signal: AbortSignal; readonly wanted: Set<string> },
): Promise<void> {
  const { vault, signal, wanted } = context;
  const missing: string[] = [];
  const documents = [root.document, root.keys, root.catalog];
  await look(
    folder,
    documents.map(({ name, bytes, sha256 }) => ({ key: chain + name, bytes, sha256 })),
    missing,
  );
  const packHashes: Buffer[] = [];
  let packs = 0;
  let packBytes = 0;
  const unlisted = new Set(wanted);
  for (const top of await readTop(folder, chain, root)) {
    if (signal.aborted) throw new HoldfastError(ErrorCode.cancelled, "the client went away");
    const page = await readPage(folder, chain, top.page, top.bytes);
    if (top.type === ManifestPageType.packs) {
      const { rows } = parseManifestPage(ManifestPageType.packs, page);
      const found = rows.map(({ name, bytes }) => ({
        key: packKey(vault, name),
        bytes,
        sha256: toHex(name),
      }));
      await look(folder, found, missing);
      packHashes.push(checkedHash(top, packHash(rows)));
      packs += rows.length;
      packBytes += rows.reduce((sum, { bytes }) => sum + bytes, 0);
    } else if (top.type === ManifestPageType.snapshots) {
      const { rows } = parseManifestPage(ManifestPageType.snapshots, page);
      for (const { id } of rows) unlisted.delete(toHex(id));
      const found = rows.map(({ id, bytes }) => ({
        key: namedKey(chain, "snapshots", id),
        bytes,
        sha256: toHex(id),
      }));
      await look(folder, found, missing);
    } else if (top.type === ManifestPageType.segments) {
      const { rows } = parseManifestPage(ManifestPageType.segments, page);
      const found = rows.map(({ name, bytes }) => ({
        key: namedKey(chain, "index", name),
        bytes,
        sha256: toHex(name),
      }));
      await look(folder, found, missing);
    }
  }
  if (missing.length > 0) {
    throw new HoldfastError(
      ErrorCode.replicaDamaged,
      `${missing.length} objects of this root are not here as it lists them`,
      {
        detail: { count: missing.length, missing: missing.slice(0, namedMax) },
      },
    );
  }
  const merkle = toHex(merkleOf(packHashes));
  if (merkle !== root.merkle || packs !== root.packs || packBytes !== root.packBytes) {
    throw new HoldfastError(
      ErrorCode.replicaDamaged,
      "this root says something else of its packs than its manifest",
    );
  }
  if (unlisted.size > 0)
    throw new HoldfastError(ErrorCode.notFound, "this root does not list such a snapshot");
}

function checkedHash(top: TopRow, hash: Buffer): Buffer {
  if (equalBytes(hash, top.packHash)) return hash;
  throw new HoldfastError(
    ErrorCode.replicaDamaged,
    "a page of packs has another pack hash than its manifest says",
  );
}

type Listed = { readonly key: string; readonly bytes: number; readonly sha256: string };

/** Adds the keys of what is not here with this size and hash. What has no row yet is hashed now. */
async function look(folder: PeerFolder, objects: readonly Listed[], missing: string[]): Promise<void> {
  for (let at = 0; at < objects.length; at += looksAtATime) {
    const some = objects.slice(at, at + looksAtATime);
    const found = await Promise.all(some.map(({ key }) => folder.find(key)));
    for (const [i, { key, bytes, sha256 }] of some.entries()) {
      if (found[i]?.bytes !== bytes || found[i]?.sha256 !== sha256) missing.push(key);
    }
  }
}
