// The manifest of one vault in a replica: what is listed, the next generation of it, and deleting what is doomed.
//
// Memory: the names of packs and snapshots (64 to 128 bytes each), doomed names, one page at a time of everything else. 100,000 packs take about
// 10 MiB.
//
// Invariants
// - It is what a root names: `load` checks every page against its hash, and all of them against the root; `committed` is called
//   when the root of a next generation was appended, and only then.
// - Only what a committed root lists as doomed is deleted.

import { toHex } from "../../../vault/bytes.ts";
import { HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { DoomedClass, ManifestPageType } from "../../../vault/magic.ts";
import { type DoomedRow, parseManifestPage, type TopRow } from "../../../vault/replica/manifestPage.ts";
import type { VaultRoot } from "../../../vault/replica/root.ts";
import { merkleOf, packHash } from "../../../vault/replica/treeHash.ts";
import { namedKey, packKey, vaultFolder } from "../keys.ts";
import type { PutOptions, ReplicaStore } from "../replicaStore.ts";
import { inParallel } from "../restore/inParallel.ts";
import {
  type BelowTop,
  emptyState,
  type ManifestChanges,
  type ManifestState,
  type RowOfType,
} from "./manifestState.ts";
import { damaged, putProven, readNamed } from "./namedObjects.ts";
import { NameSet } from "./nameSet.ts";
import { type NextManifest, nextManifest } from "./nextManifest.ts";

/** What deleting doomed objects came to. `locked`: a retention keeps at least so many for now. `failure`: why the rest was left for later. */
export type SweepReport = {
  readonly deleted: number;
  readonly locked: number;
  readonly failure: HoldfastError | undefined;
};

/** Pages that are put at a time. */
const pagesAtOnce = 4;

export class Manifest {
  readonly #store: ReplicaStore;
  readonly #vault: string;
  readonly #packs = new NameSet();
  readonly #snapshots = new NameSet();
  /** By hex name, in the order of their rows. */
  readonly #doomed = new Map<string, DoomedRow>();
  /** Hex names of doomed objects that were deleted, and may leave the list. */
  readonly #gone = new Set<string>();
  #state: ManifestState = emptyState;

  private constructor(store: ReplicaStore, vault: string) {
    this.#store = store;
    this.#vault = vault;
  }

  /**
   * Reads the manifest that a root names; an empty one without a root. Where another writer's next generation deleted pages meanwhile, they are missing: look for
   * the newest root again.
   * @throws HoldfastError replica-damaged; what the store throws
   */
  static async load(
    store: ReplicaStore,
    vault: string,
    root: VaultRoot | undefined,
    signal?: AbortSignal,
  ): Promise<Manifest> {
    const manifest = new Manifest(store, vault);
    if (root !== undefined) await manifest.#load(root, signal);
    return manifest;
  }

  get packs(): number {
    return this.#state.packs;
  }

  get packBytes(): number {
    return this.#state.packBytes;
  }

  get snapshots(): number {
    return this.#state.snapshots;
  }

  /** How many objects are doomed and not known to be deleted. */
  get doomed(): number {
    return this.#doomed.size - this.#gone.size;
  }

  hasPack(name: Uint8Array): boolean {
    return this.#packs.has(name);
  }

  hasSnapshot(id: Uint8Array): boolean {
    return this.#snapshots.has(id);
  }

  /** What is doomed must not be put or listed again. */
  isDoomed(name: Uint8Array): boolean {
    return this.#doomed.has(toHex(name));
  }

  /** The rows of a type, page by page, in the order of their arrival; each page is read from the replica. */
  async *rows<Type extends BelowTop>(
    type: Type,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly RowOfType[Type][]> {
    for (const page of this.#state.pages) {
      if (page.type === type) yield await this.#read(type, page, signal);
    }
  }

  /**
   * The manifest of the next generation. Nothing is written yet: `put` it, append the root with its summary, then call `committed`.
   * Broken rules (a name that is listed or doomed is added, one that is not listed is doomed) are errors of the caller.
   * @throws HoldfastError as `rows` when packs, snapshots or segments are doomed
   */
  next(generation: number, changes: ManifestChanges, signal?: AbortSignal): Promise<NextManifest> {
    this.#check(changes);
    return nextManifest(this.#state, generation, changes, this.#gone, (type, page) =>
      this.#rowsOf(type, page, signal),
    );
  }

  /** Puts the pages of a next generation. @throws HoldfastError what the store throws */
  async put(next: NextManifest, options: PutOptions = {}): Promise<void> {
    await inParallel(next.pages, pagesAtOnce, async ({ name, bytes }) => {
      await putProven(this.#store, namedKey(vaultFolder(this.#vault), "manifest", name), bytes, options);
    });
  }

  /** The root of a next generation was appended: from now on that is the manifest. */
  committed(next: NextManifest): void {
    for (const { name } of next.changes.packs ?? []) this.#packs.add(name);
    for (const { id } of next.changes.snapshots ?? []) this.#snapshots.add(id);
    for (const row of next.changes.doom ?? []) {
      if (row.class === DoomedClass.pack) this.#packs.delete(row.name);
      if (row.class === DoomedClass.snapshot) this.#snapshots.delete(row.name);
    }
    for (const row of next.newlyDoomed) this.#doomed.set(toHex(row.name), row);
    for (const name of next.forgotten) {
      this.#doomed.delete(name);
      this.#gone.delete(name);
    }
    this.#state = next.state;
  }

  /**
   * Deletes what was doomed in a generation up to `upTo`: who reads an older root may still want the rest. Of each class the oldest goes first, and what a retention locks ends its class for this time: those after it were put later. Failures are
   * reported, never thrown, but for `cancelled`.
   */
  async sweep(signal?: AbortSignal, upTo = Number.POSITIVE_INFINITY): Promise<SweepReport> {
    const locked = new Set<DoomedClass>();
    let deleted = 0;
    for (const [hex, row] of this.#doomed) {
      if (signal?.aborted) break;
      if (row.generation > upTo || this.#gone.has(hex) || locked.has(row.class)) continue;
      try {
        const outcome = await this.#store.delete(this.#keyOf(row));
        if (outcome === "locked") locked.add(row.class);
        else {
          this.#gone.add(hex);
          deleted++;
        }
      } catch (error) {
        if (!(error instanceof HoldfastError) || isHoldfastError(error, "cancelled")) throw error;
        return { deleted, locked: locked.size, failure: error };
      }
    }
    return { deleted, locked: locked.size, failure: undefined };
  }

  #keyOf({ name, class: kind }: DoomedRow): string {
    const folders = { 2: "snapshots", 3: "index", 4: "manifest", 5: "catalog" } as const;
    return kind === DoomedClass.pack
      ? packKey(this.#vault, name)
      : namedKey(vaultFolder(this.#vault), folders[kind], name);
  }

  #check(changes: ManifestChanges): void {
    const added = [
      ...(changes.packs ?? []).map(({ name }) => ({ name, listed: this.hasPack(name) })),
      ...(changes.snapshots ?? []).map(({ id }) => ({ name: id, listed: this.hasSnapshot(id) })),
      ...(changes.segments ?? []).map(({ name }) => ({ name, listed: false })),
    ];
    const names = new Set([...added, ...(changes.doom ?? [])].map(({ name }) => toHex(name)));
    if (names.size !== added.length + (changes.doom?.length ?? 0))
      throw new Error("manifest: a name stands twice");
    for (const { name, listed } of added) {
      if (listed || this.isDoomed(name))
        throw new Error(`manifest: ${toHex(name)} is listed or doomed already`);
    }
    for (const { name, class: kind } of changes.doom ?? []) {
      const missing =
        (kind === DoomedClass.pack && !this.hasPack(name)) ||
        (kind === DoomedClass.snapshot && !this.hasSnapshot(name));
      if (missing || this.isDoomed(name))
        throw new Error(`manifest: ${toHex(name)} is not listed, or doomed already`);
    }
  }

  async #load(root: VaultRoot, signal: AbortSignal | undefined): Promise<void> {
    const folder = vaultFolder(this.#vault);
    const bytes = await readNamed(this.#store, folder, root.manifest, signal);
    const pages = parsed(`${folder}${root.manifest.name}`, () =>
      parseManifestPage(ManifestPageType.top, bytes),
    ).rows;
    const last: { [Type in BelowTop]: RowOfType[Type][] } = { 2: [], 3: [], 4: [], 5: [] };
    let packBytes = 0;
    for (const page of pages) {
      const rows = await this.#read(page.type, page, signal);
      last[page.type] = rows as never;
      for (const row of rows) {
        if (!this.#enter(page.type, row))
          throw damaged(`${folder}${root.manifest.name}`, "lists a name twice");
        if (page.type === ManifestPageType.packs) packBytes += (row as RowOfType[2]).bytes;
      }
    }
    const merkle = merkleOf(
      pages.filter(({ type }) => type === ManifestPageType.packs).map((page) => page.packHash),
    );
    const { packs, snapshots } = root;
    const same =
      packs === this.#packs.size && snapshots === this.#snapshots.size && packBytes === root.packBytes;
    if (!same || toHex(merkle) !== root.merkle)
      throw damaged(`${folder}${root.manifest.name}`, "is not what its root says");
    this.#state = { top: Buffer.from(root.manifest.sha256, "hex"), pages, last, packs, packBytes, snapshots };
  }

  /** Notes a row that was read; whether its name is new. */
  #enter(type: BelowTop, row: RowOfType[BelowTop]): boolean {
    if (type === ManifestPageType.packs) return this.#packs.add((row as RowOfType[2]).name);
    if (type === ManifestPageType.snapshots) return this.#snapshots.add((row as RowOfType[3]).id);
    if (type === ManifestPageType.doomed) {
      const doomed = row as RowOfType[5];
      const hex = toHex(doomed.name);
      if (this.#doomed.has(hex)) return false;
      // Rows are views of their page: this one stays longer.
      this.#doomed.set(hex, { ...doomed, name: Buffer.from(doomed.name) });
    }
    return true;
  }

  /** The rows of a page; doomed ones are all in memory. */
  async #rowsOf<Type extends BelowTop>(
    type: Type,
    page: TopRow,
    signal: AbortSignal | undefined,
  ): Promise<readonly RowOfType[Type][]> {
    if (type !== ManifestPageType.doomed) return this.#read(type, page, signal);
    const pages = this.#state.pages.filter((each) => each.type === type);
    const before = pages.slice(0, pages.indexOf(page)).reduce((sum, { rows }) => sum + rows, 0);
    return [...this.#doomed.values()].slice(before, before + page.rows) as RowOfType[Type][];
  }

  async #read<Type extends BelowTop>(
    type: Type,
    page: TopRow,
    signal?: AbortSignal,
  ): Promise<readonly RowOfType[Type][]> {
    const name = toHex(page.page);
    const folder = vaultFolder(this.#vault);
    const object = { name: `manifest/${name}`, bytes: page.bytes, sha256: name };
    const bytes = await readNamed(this.#store, folder, object, signal);
    const { rows } = parsed(`${folder}${object.name}`, () => parseManifestPage<BelowTop>(type, bytes));
    if (type === ManifestPageType.packs && !packHash(rows as RowOfType[2][]).equals(page.packHash)) {
      throw damaged(`${folder}${object.name}`, "has another pack hash than its top page says");
    }
    return rows as readonly RowOfType[Type][];
  }
}

/** What a page says; one that has its hash and says nothing was written wrong. */
function parsed<Page>(key: string, parse: () => Page): Page {
  try {
    return parse();
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw damaged(key, `cannot be read: ${error.message}`, error);
  }
}
