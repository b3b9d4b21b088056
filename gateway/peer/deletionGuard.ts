// What may be deleted here. A token may be stolen, and who has it can write roots whose MAC we cannot check: a false newest root must not let everything
// that it leaves out be deleted. So an object stays as long as any root lists it that was the newest at some moment of the hold time, and it stays for
// the hold time after it arrived itself. Roots stay for ever. The owner's gateway has the hold time to notice a root that is not its own.
//
// What is no root at all counts for nothing. A root that we do not understand, or whose manifest cannot be read, keeps everything.

import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { ManifestPageType, Width } from "../../vault/magic.ts";
import type { Root } from "../../vault/replica/root.ts";
import { generationsOf, readPage, readRoot, readTop } from "./chainReader.ts";
import { type KeyForm, readKey } from "./keyForm.ts";
import type { HeldObject, PeerFolder } from "./peerFolder.ts";

/** Roots that are looked at for one deletion. Longer chains within the hold time keep everything. */
const rootsMax = 4096;

const pageTypeOf: Readonly<Record<string, ManifestPageType>> = {
  packs: ManifestPageType.packs,
  snapshots: ManifestPageType.snapshots,
  index: ManifestPageType.segments,
};

/**
 * Whether an object may be deleted now; false when it may be later.
 * @throws HoldfastError forbidden for a root, and for what the newest root lists
 */
export async function mayDelete(
  folder: PeerFolder,
  key: string,
  object: HeldObject,
  holdMs: number,
): Promise<boolean> {
  const form = readKey(key);
  if (form.generation !== undefined) throw forbidden("roots are kept for ever");
  const heldSinceMs = folder.now().getTime() - holdMs;
  if (form.folder === undefined) return object.arrivedMs <= heldSinceMs;
  const seen = new Set<string>();
  let roots = 0;
  for (const generation of await generationsOf(folder, form.folder)) {
    if (roots === rootsMax) return false;
    const stored = await readRoot(folder, form.folder, generation).catch(notUnderstood);
    if (stored === "unknown") return false;
    if (stored === undefined || stored === "nothing") continue;
    const lists = await listsObject(folder, form, key, stored.root, seen).catch(notUnderstood);
    if (lists === true && roots === 0) throw forbidden("the newest root lists it");
    if (lists !== false) return false;
    if (stored.arrivedMs <= heldSinceMs) break;
    roots++;
  }
  return object.arrivedMs <= heldSinceMs;
}

/** Relative to the chain's folder. */
function nameOf(form: KeyForm, key: string): string {
  return key.slice(form.folder?.length ?? 0);
}

/** Whether a root needs an object. `seen`: pages that were searched for it already. */
async function listsObject(
  folder: PeerFolder,
  form: KeyForm,
  key: string,
  root: Root,
  seen: Set<string>,
): Promise<boolean> {
  if (root.chain === "gateway") return [root.sealed.name, root.catalog.name].includes(nameOf(form, key));
  const { document, keys, catalog, manifest } = root;
  if ([document.name, keys.name, catalog.name, manifest.name].includes(nameOf(form, key))) return true;
  if (form.sha256 === undefined || form.kind === undefined) return false;
  const name = fromHex(form.sha256, 32);
  const chain = form.folder ?? "";
  const type = pageTypeOf[form.kind];
  if (type === undefined && form.kind !== "manifest") return false;
  for (const row of await readTop(folder, chain, root)) {
    if (form.kind === "manifest" && name.equals(row.page)) return true;
    if (row.type !== type) continue;
    const page = Buffer.from(row.page).toString("hex");
    if (seen.has(page)) continue;
    seen.add(page);
    if (hasRow(await readPage(folder, chain, row.page, row.bytes), name)) return true;
  }
  return false;
}

/** Whether a row of a page begins with this name. */
function hasRow(page: Buffer, name: Buffer): boolean {
  let at = page.indexOf(name, Width.manifestHeader);
  while (at >= 0 && (at - Width.manifestHeader) % Width.manifestRow !== 0) at = page.indexOf(name, at + 1);
  return at >= 0;
}

/** What a root, or its manifest, that cannot be read is: no root in the first place, or one that we cannot judge. */
function notUnderstood(error: unknown): "nothing" | "unknown" {
  if (!isHoldfastError(error) || error.code === ErrorCode.ioError) throw error;
  const { corrupt, truncated, limitExceeded } = ErrorCode;
  return ([corrupt, truncated, limitExceeded] as ErrorCode[]).includes(error.code) ? "nothing" : "unknown";
}

function forbidden(why: string): HoldfastError {
  return new HoldfastError(ErrorCode.forbidden, `this object is not deleted: ${why}`);
}
