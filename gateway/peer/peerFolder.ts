// The objects of one peer: a folder laid out as any folder replica (docs/format.md, section 11.1), and beside it in `.incoming/` what is
// still arriving.
//
// Invariants
// - A file gets its key's name only when all its bytes are on disk and were hashed there; its row (catalog/peers.ts) is written after its name
//   is durable, and only then it is acknowledged.
// - A file without a row is what a gateway that was killed left: it is hashed when somebody asks for it, and counts from then on.
// - The folder is marked as a replica (replica/folder/marker.ts): where the mark is gone, so is the disk, and nothing is said to be absent.
// - Changes of one key run one after the other. Nothing that is there is ever changed, but for content that fails its hash.

import { randomBytes } from "node:crypto";
import { readdir, rename, rm, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { PeerRows } from "../catalog/peers.ts";
import { DurableFolders } from "../replica/folder/durableFolders.ts";
import { readMarker, seeMarker } from "../replica/folder/marker.ts";
import { errnoOf, fileError, syncDirectory } from "../store/files.ts";
import { Turns } from "../turns.ts";
import { hashFile } from "./incoming.ts";
import { readKey } from "./keyForm.ts";

/** An object that is here. `sha256` in hex, of the bytes as they were when it was hashed. */
export type HeldObject = {
  readonly path: string;
  /** Of the file as it is now. */
  readonly bytes: number;
  readonly sha256: string;
  readonly arrivedMs: number;
};

export type PeerFolderOptions = {
  /** Id of the peer. */
  readonly id: string;
  readonly path: string;
  readonly rows: PeerRows;
  readonly now: () => Date;
};

export class PeerFolder {
  readonly id: string;
  readonly path: string;
  readonly rows: PeerRows;
  readonly now: () => Date;
  readonly #turns = new Turns();
  readonly #folders: DurableFolders;

  private constructor(options: PeerFolderOptions) {
    this.id = options.id;
    this.path = options.path;
    this.rows = options.rows;
    this.now = options.now;
    this.#folders = new DurableFolders(options.path);
  }

  /** Opens a peer's folder, and removes what arrived for nothing. @throws HoldfastError replica-unreachable, disk-full, io-error */
  static async open(options: PeerFolderOptions): Promise<PeerFolder> {
    const folder = new PeerFolder(options);
    const incoming = join(options.path, ".incoming");
    await readMarker(options.path);
    try {
      await folder.#folders.make(".incoming");
      const uploads = options.rows.uploads(options.id);
      for (const name of await readdir(incoming)) {
        if (!uploads.has(name)) await rm(join(incoming, name), { force: true });
      }
    } catch (error) {
      throw fileError(error, incoming);
    }
    return folder;
  }

  /** A file that nobody knows yet. `name`: of an upload, or a new one. */
  incomingPath(name: string = toHex(randomBytes(16))): string {
    return join(this.path, ".incoming", name);
  }

  /** The object with this key, or undefined. @throws HoldfastError replica-unreachable when the disk is gone, io-error */
  async find(key: string): Promise<HeldObject | undefined> {
    const path = join(this.path, key);
    const bytes = await fileBytes(path);
    if (bytes === undefined) {
      await seeMarker(this.path);
      return undefined;
    }
    const row = this.rows.object(this.id, key);
    if (row !== undefined) return { path, bytes, sha256: row.sha256, arrivedMs: row.arrivedMs };
    return await this.#turns.run(key, () => this.#adopt(key));
  }

  /** What is there, once a file that has no row yet was hashed and noted; undefined also for bytes that are not those of their name. */
  async #adopt(key: string): Promise<HeldObject | undefined> {
    const path = join(this.path, key);
    const found = await fileBytes(path);
    if (found === undefined) return undefined;
    const known = this.rows.object(this.id, key);
    if (known !== undefined) return { path, bytes: found, sha256: known.sha256, arrivedMs: known.arrivedMs };
    const { sha256, bytes } = await hashFile(path);
    if ((readKey(key).sha256 ?? sha256) !== sha256) return undefined;
    // Its name may be in memory alone, if the gateway was killed right after it got it.
    await syncDirectory(dirname(path));
    const arrivedMs = this.now().getTime();
    this.rows.putObject(this.id, key, { bytes, sha256, arrivedMs });
    return { path, bytes, sha256, arrivedMs };
  }

  /**
   * Gives a file that arrived, whose bytes are on disk and have this hash, its key's name. The file is gone afterwards, whatever happens.
   * @returns whether it was there already; healing, whether what was there is good
   * @throws HoldfastError usage when a part of the key is an object, disk-full, io-error, cancelled
   */
  async place(
    arrived: string,
    key: string,
    object: { readonly bytes: number; readonly sha256: string; readonly heal: boolean },
  ): Promise<"placed" | "exists"> {
    const path = join(this.path, key);
    try {
      return await this.#turns.run(key, async () => {
        if (await this.#stands(key, object)) return "exists";
        // What stands there now is nobody's: it fails its hash, or was never acknowledged.
        await this.#rename(arrived, key);
        await syncDirectory(dirname(path));
        const { bytes, sha256 } = object;
        this.rows.putObject(this.id, key, { bytes, sha256, arrivedMs: this.now().getTime() });
        return "placed";
      });
    } catch (error) {
      if (["EISDIR", "ENOTDIR", "EEXIST", "ENOTEMPTY"].includes(errnoOf(error) ?? "")) {
        throw new HoldfastError(ErrorCode.usage, "a part of this key is the key of another object");
      }
      throw fileError(error, path);
    } finally {
      await rm(arrived, { force: true });
    }
  }

  async #rename(arrived: string, key: string): Promise<void> {
    const path = join(this.path, key);
    await this.#folders.make(dirname(key));
    try {
      await rename(arrived, path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      // Somebody removed a folder by hand.
      this.#folders.forget();
      await this.#folders.make(dirname(key));
      await rename(arrived, path);
    }
  }

  /** Whether what is there stays. */
  async #stands(key: string, object: { readonly sha256: string; readonly heal: boolean }): Promise<boolean> {
    const there = await this.#adopt(key);
    if (there === undefined || !object.heal) return there !== undefined;
    return (await hashFile(there.path)).sha256 === object.sha256;
  }

  /** Deletes what `mayGo` lets go. @throws HoldfastError not-found, io-error, and what `mayGo` throws */
  async remove(key: string, mayGo: (object: HeldObject) => Promise<boolean>): Promise<"deleted" | "locked"> {
    return await this.#turns.run(key, async () => {
      const there = await this.#adopt(key);
      if (there === undefined) throw notThere();
      if (!(await mayGo(there))) return "locked";
      // Killed in between, it is a file without a row, which comes back when somebody asks for it: nothing was answered.
      this.rows.removeObject(this.id, key);
      try {
        await unlink(there.path);
        await syncDirectory(dirname(there.path));
      } catch (error) {
        throw fileError(error, there.path);
      }
      return "deleted";
    });
  }
}

export function notThere(): HoldfastError {
  return new HoldfastError(ErrorCode.notFound, "there is no such object");
}

/** Bytes of a file; undefined where there is none. */
async function fileBytes(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw fileError(error, path);
  }
}
