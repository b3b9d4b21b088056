// Keeps gateway/sealed.json up to date: what the gateway's recovery key alone brings back, the metadata keys of all vaults among it.
//
// Invariants
// - One writer at a time, each with the state as it is when its turn comes: a later state is never replaced by an earlier one.
// - What was sealed last is noted (its hash) behind the file, so that a gateway that was killed between a new vault and its seal, or whose settings
//   changed while it stood still, finds that out.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Catalog } from "./catalog/catalog.ts";
import { type DataDir, writeSealedState } from "./dataDir.ts";
import { bytesCodec, openTable, type Table } from "./index/table.ts";
import { makeFolderDurably } from "./store/files.ts";

export type SealingPort = {
  readonly catalog: Catalog;
  readonly dataDir: () => DataDir;
  /** sealed.json is another one. */
  readonly sealed: () => void;
};

const key = Buffer.from("sealed");

export class Sealing {
  readonly #port: SealingPort;
  readonly #table: Table<Uint8Array>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(port: SealingPort) {
    this.#port = port;
    this.#table = openTable(port.catalog.environment, "sealed-state", bytesCodec);
  }

  /** Whether sealed.json says all that there is now. */
  get isCurrent(): boolean {
    const noted = this.#table.get(key);
    return noted !== undefined && hashOf(this.#state()).equals(noted);
  }

  /** Writes sealed.json where it does not say all that there is now. @throws HoldfastError disk-full, io-error */
  bring(): Promise<void> {
    const done = this.#turn.then(() => this.#bring());
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #bring(): Promise<void> {
    const { catalog, dataDir, sealed } = this.#port;
    const { path, identity } = dataDir();
    if (this.isCurrent && existsSync(join(path, "gateway", "sealed.json"))) return;
    const state = this.#state();
    await makeFolderDurably(join(path, "gateway"));
    await writeSealedState(path, identity, state);
    catalog.write(() => this.#table.put(key, hashOf(state)));
    sealed();
  }

  #state(): Parameters<typeof writeSealedState>[2] {
    const { identity, settings, tls } = this.#port.dataDir();
    const metadataKeys = Object.fromEntries(
      this.#port.catalog.vaults.list().map((vault) => [vault.id, vault.metadataKey]),
    );
    return { settings, tls, secret: identity.secret, metadataKeys };
  }
}

/** It tells nothing of what is in there: that holds 32 random bytes. */
function hashOf(state: object): Buffer {
  return createHash("sha256").update(JSON.stringify(state)).digest();
}
