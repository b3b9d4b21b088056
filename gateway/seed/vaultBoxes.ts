// The beginning and the end of what a box promises to a vault.

import type { VaultCatalog } from "../catalog/vaultCatalog.ts";
import type { VaultStore } from "../store/vaultStore.ts";
import { ImportedPacks } from "./import/importedPacks.ts";
import type { ListToOpen, PromisedBox } from "./promises.ts";
import type { SnapshotWaits } from "./snapshotWaits.ts";

export class VaultBoxes {
  /** What came of the packs that they brought. */
  readonly imported: ImportedPacks;
  readonly #store: VaultStore;
  readonly #catalog: VaultCatalog;
  readonly #waits: SnapshotWaits;
  readonly #changed: () => void;

  /** `changed`: told when snapshots may have appeared. */
  constructor(store: VaultStore, catalog: VaultCatalog, waits: SnapshotWaits, changed: () => void) {
    this.imported = new ImportedPacks(store.environment);
    this.#changed = changed;
    this.#store = store;
    this.#catalog = catalog;
    this.#waits = waits;
  }

  /** All boxes that ever promised something. */
  list(): PromisedBox[] {
    return this.#store.promises.boxes();
  }

  /**
   * Takes in a box's list of chunks: they are promised from the moment on that this resolves. `commit` is a part of the transaction that makes
   * the list count: what else the manifest says, such as snapshots (`VaultCatalog.enter`, with `catalog.waiting.put`).
   * @throws HoldfastError as Promises.load
   */
  async promise(list: ListToOpen, commit: () => void = () => undefined): Promise<void> {
    const counts = (): void => {
      commit();
      this.#catalog.countChange();
    };
    // As for uploads: the file system keeps what the database needs for its own work.
    await this.#store.promises.load(list, counts, () => this.#store.room());
    this.#changed();
    this.#waits.settleSoon();
  }

  /**
   * Nothing more is expected of a box, because all of it was imported or it is abandoned: what it promised and is not here is needed from
   * agents, unless another box promises it. One transaction, however much that is, of which `commit` is a part; snapshots that waited are
   * looked at again behind it.
   * @throws HoldfastError not-found, disk-full, io-error
   */
  async close(box: number, commit: () => void = () => undefined): Promise<void> {
    await this.#store.promises.close(box, (change) =>
      this.#store.flush(() => {
        change();
        commit();
        this.#catalog.renewCacheToken();
      }),
    );
    await this.#waits.settle();
  }
}
