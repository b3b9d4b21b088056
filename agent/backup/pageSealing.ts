// Hands the pages of a run's tree to the upload: names them, and seals each when it is its turn to be sent.

import { chunkId } from "../../vault/chunkId.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import { sealRecord } from "../../vault/record.ts";
import { type Engines, selectEngines } from "../platform/engines.ts";
import type { PageCache } from "../source/pageCache.ts";
import type { MetadataUpload } from "../upload/metadataUpload.ts";

export class PageSealing {
  readonly #keys: VaultKeys;
  readonly #group: number;
  readonly #metadata: MetadataUpload;
  readonly #cache: PageCache;
  readonly #compressionLevel: number;
  readonly #engines: Engines = selectEngines();

  constructor(options: {
    readonly keys: VaultKeys;
    readonly group: number;
    readonly metadata: MetadataUpload;
    /** Keeps directory pages for the next run. */
    readonly cache: PageCache;
    readonly compressionLevel: number;
  }) {
    this.#keys = options.keys;
    this.#group = options.group;
    this.#metadata = options.metadata;
    this.#cache = options.cache;
    this.#compressionLevel = options.compressionLevel;
  }

  /** Takes over a page and returns its id; one that this run had before is not sent again. `refs` are concatenated ids. */
  emit(type: RecordType, plaintext: Buffer, refs: Buffer): Buffer {
    const [keys, group, compressionLevel] = [this.#keys, this.#group, this.#compressionLevel];
    const engine = this.#engines.seal;
    const id = chunkId(keys.idKey(group), type, refs, plaintext);
    const isNew = this.#metadata.add(id, refs, plaintext.length + refs.length, () =>
      sealRecord({ keys, group, type, plaintext, refs, id, compressionLevel, engine }),
    );
    if (isNew && type === RecordType.directory && this.#cache.get(id) === undefined) {
      this.#cache.put(id, { plaintext, refs });
    }
    return id;
  }

  /** Pages that still wait cannot be sealed any more. */
  close(): void {
    this.#engines.close();
  }
}
