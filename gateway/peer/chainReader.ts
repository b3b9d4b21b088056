// Reads the chains of roots and manifests in a peer's folder. They are clear, but their MACs are not for us to check: what stands here may have been written
// by whoever has the token.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { ManifestPageType } from "../../vault/magic.ts";
import { parseManifestPage, type TopRow } from "../../vault/replica/manifestPage.ts";
import { parseRoot, type Root, type VaultRoot } from "../../vault/replica/root.ts";
import { namedKey, rootKey } from "../replica/keys.ts";
import { errnoOf, fileError } from "../store/files.ts";
import { notThere, type PeerFolder } from "./peerFolder.ts";

export type StoredRoot = { readonly root: Root; readonly sha256: string; readonly arrivedMs: number };

/** Generations of which there are roots in a chain's folder ("gateway/", "vaults/<id>/"), newest first. */
export async function generationsOf(folder: PeerFolder, chain: string): Promise<number[]> {
  const path = join(folder.path, chain, "root");
  try {
    const names = (await readdir(path)).filter((name) => /^[0-9]{10}$/.test(name));
    return names.map(Number).sort((a, b) => b - a);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError(error, path);
  }
}

/** A root; undefined where there is none. @throws HoldfastError corrupt, truncated, limit-exceeded for what is no root; unsupported */
export async function readRoot(
  folder: PeerFolder,
  chain: string,
  generation: number,
): Promise<StoredRoot | undefined> {
  const found = await folder.find(rootKey(chain, generation));
  if (found === undefined) return undefined;
  const bytes = await readWhole(found.path, found.bytes, limits.rootBytesMax);
  const vault = /^vaults\/(?<id>[0-9a-f]{32})\/$/.exec(chain)?.groups?.id;
  const id = vault ?? gatewayIdOf(bytes);
  const root = parseRoot(
    bytes,
    { chain: vault === undefined ? "gateway" : "vault", id, generation },
    undefined,
  );
  return { root, sha256: createHash("sha256").update(bytes).digest("hex"), arrivedMs: found.arrivedMs };
}

/** The pushing gateway's id is nowhere else; parseRoot checks the rest. */
function gatewayIdOf(root: Buffer): string {
  return /"id":"(?<id>[0-9a-f]{32})"/.exec(root.toString("latin1"))?.groups?.id ?? "";
}

/** Rows of the top page of a root's manifest. @throws HoldfastError as `readPage`; corrupt */
export async function readTop(
  folder: PeerFolder,
  chain: string,
  root: VaultRoot,
): Promise<readonly TopRow[]> {
  const { sha256, bytes } = root.manifest;
  const page = await readPage(folder, chain, Buffer.from(sha256, "hex"), bytes);
  return parseManifestPage(ManifestPageType.top, page).rows;
}

/** A manifest page, compared with its name. @throws HoldfastError not-found, replica-damaged, io-error */
export async function readPage(
  folder: PeerFolder,
  chain: string,
  sha256: Uint8Array,
  bytes: number,
): Promise<Buffer> {
  const key = namedKey(chain, "manifest", sha256);
  const found = await folder.find(key);
  if (found === undefined) throw notThere();
  const page = await readWhole(found.path, found.bytes, bytes);
  if (createHash("sha256").update(page).digest("hex") !== toHex(sha256)) {
    throw new HoldfastError(ErrorCode.replicaDamaged, `${key} fails its hash`, {
      detail: { missing: [key] },
    });
  }
  return page;
}

async function readWhole(path: string, bytes: number, bytesMax: number): Promise<Buffer> {
  if (bytes > bytesMax) throw new HoldfastError(ErrorCode.limitExceeded, `an object of ${bytes} bytes`);
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") throw notThere();
    throw fileError(error, path);
  }
}
