// Takes packs that no row names out of a vault (docs/concurrency.md, "Garbage collection").
//
// Invariants
// - The pack's row goes first, in a transaction that notes its name; then file and tail, durably; then the note. What a stop leaves is
//   finished when the vault is opened: no name is in the pack table and in a note at once.
// - A pack that a replica acknowledged and that no root of it lists stays: only what a root lists can be doomed there.

import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { IndexEnvironment } from "../index/environment.ts";
import { GoneObjects } from "../index/goneObjects.ts";
import { PackChecks } from "../index/packChecks.ts";
import { PackPlaces } from "../index/packPlaces.ts";
import type { PackRow, PackTable } from "../index/packTable.ts";
import { bytesCodec, openTable, type Table } from "../index/table.ts";
import { fileError, syncDirectory } from "./files.ts";
import { closedPackPath } from "./packPaths.ts";
import { tailPath } from "./packTails.ts";

export type PackRemovalPort = {
  /** The vault's directory. */
  readonly directory: string;
  readonly environment: IndexEnvironment;
  readonly packs: PackTable;
};

export class PackRemoval {
  readonly #port: PackRemovalPort;
  readonly #notes: Table<Uint8Array>;
  readonly #places: PackPlaces;
  readonly #gone: GoneObjects;

  constructor(port: PackRemovalPort) {
    this.#port = port;
    this.#notes = openTable(port.environment, "packs-to-unlink", bytesCodec);
    this.#places = new PackPlaces(port.environment);
    this.#gone = new GoneObjects(port.environment);
  }

  /**
   * Takes the rows of packs out of the table, where nothing holds them. No row of the index names them. Nobody moves them meanwhile.
   * `also` is part of the transaction. Answers those that went; `unlink` comes next.
   */
  takeOut(ordinals: readonly number[], also: (gone: readonly PackRow[]) => void): PackRow[] {
    const { environment, packs } = this.#port;
    const checks = new PackChecks(environment);
    return environment.write(() => {
      const gone: PackRow[] = [];
      for (const ordinal of ordinals) {
        const row = packs.get(ordinal);
        const places = this.#places.of(ordinal);
        if (row?.name === undefined || places.some(({ place }) => !place.listed)) continue;
        const wrong = this.#places.wrongIn(ordinal);
        for (const replica of [...places.map((each) => each.replica), ...wrong]) {
          this.#gone.add(replica, 1, row.name);
        }
        this.#places.forgetPack(ordinal);
        checks.remove(ordinal);
        packs.remove(ordinal);
        this.#notes.put(row.name, Buffer.of(1));
        gone.push(row);
      }
      also(gone);
      return gone;
    });
  }

  /** Removes the files of all packs that were taken out. @throws HoldfastError io-error */
  async unlink(): Promise<number> {
    const { directory, environment } = this.#port;
    let unlinked = 0;
    for (let noted = this.#some(); noted.length > 0; noted = this.#some()) {
      const folders = new Set<string>();
      for (const name of noted) {
        for (const path of [closedPackPath(directory, name), tailPath(directory, name)]) {
          if (!existsSync(path)) continue;
          try {
            await rm(path, { force: true });
          } catch (error) {
            throw fileError(error, path);
          }
          folders.add(dirname(path));
        }
      }
      for (const folder of folders) {
        await syncDirectory(folder).catch((error: unknown) => {
          throw fileError(error, folder);
        });
      }
      environment.write(() => {
        for (const name of noted) this.#notes.remove(name);
      });
      unlinked += noted.length;
    }
    return unlinked;
  }

  #some(): Uint8Array[] {
    return this.#notes.entries({ limit: 256 }).map(([name]) => Uint8Array.from(name));
  }
}
