// The pages of a run's tree: named, handed to the upload, sealed when it is their turn to be sent, and kept for the next run.

import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import { chunkId } from "../../vault/chunkId.ts";
import { isHoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import { sealRecord } from "../../vault/record.ts";
import type { Engines } from "../platform/engines.ts";
import { PageCache } from "../source/pageCache.ts";
import type { MetadataUpload } from "../upload/metadataUpload.ts";
import type { OwnPage } from "./refusedCommit.ts";
import type { BackupContext } from "./request.ts";

export class PageSealing {
  readonly #keys: VaultKeys;
  readonly #group: number;
  readonly #metadata: MetadataUpload;
  readonly #cache: PageCache;
  readonly #compressionLevel: number;
  readonly #engines: Engines;

  constructor(options: {
    readonly keys: VaultKeys;
    readonly group: number;
    readonly metadata: MetadataUpload;
    /** Keeps directory pages for the next run. */
    readonly cache: PageCache;
    readonly compressionLevel: number;
    readonly engines: Engines;
  }) {
    this.#keys = options.keys;
    this.#group = options.group;
    this.#metadata = options.metadata;
    this.#cache = options.cache;
    this.#compressionLevel = options.compressionLevel;
    this.#engines = options.engines;
  }

  /** Takes over a page and returns its id; one that this run had before is not sent again. `refs` are concatenated ids. */
  emit(type: RecordType, plaintext: Buffer, refs: Buffer): Buffer {
    const [keys, group, compressionLevel] = [this.#keys, this.#group, this.#compressionLevel];
    const engines = this.#engines;
    const id = chunkId(keys.idKey(group), type, refs, plaintext, engines.hmacs);
    const isNew = this.#metadata.add(id, refs, plaintext.length + refs.length, () =>
      sealRecord({ keys, group, type, plaintext, refs, id, compressionLevel, engine: engines.seal }),
    );
    if (isNew && type === RecordType.directory && this.#cache.get(id) === undefined) {
      this.#cache.put(id, { plaintext, refs });
    }
    return id;
  }

  /** Sends pages of directories whatever the gateway said of them, in their order; false where it lacks what one refers to. */
  async resend(pages: readonly OwnPage[]): Promise<boolean> {
    const [keys, group, compressionLevel] = [this.#keys, this.#group, this.#compressionLevel];
    let records: Buffer[] = [];
    let bytes = 0;
    for (const [at, { id, page }] of pages.entries()) {
      const record = sealRecord({
        ...{ keys, group, type: RecordType.directory, ...page, id, compressionLevel },
        engine: this.#engines.seal,
      });
      records.push(record);
      bytes += record.length;
      if (bytes < againBytes && at < pages.length - 1) continue;
      const answer = await this.#metadata.send(records);
      if (answer.statuses.includes(RecordStatus.waits)) return false;
      [records, bytes] = [[], 0];
    }
    return true;
  }
}

/** Bytes of sealed pages that are sent again together. */
const againBytes = 2 * 2 ** 20;

/** The local copies of pages; the engines are closed where they cannot be opened. */
export function openCache(
  { cachePath: path, keys, session: { group } }: BackupContext,
  engines: Engines,
): PageCache {
  try {
    const idKey = keys.idKey(group);
    return PageCache.open({ path, vaultId: keys.vaultId, group, idKey, hmacs: engines.hmacs });
  } catch (error) {
    engines.close();
    throw error;
  }
}

/** Pages that a failed run made are worth having; that they cannot be written is not what it failed with. */
export function keepPages(cache: PageCache): void {
  try {
    cache.finish(false);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
  }
}
