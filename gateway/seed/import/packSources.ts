// Where the packs of a box are read from: its disk, a second disk of it, a folder with packs, or the box itself over the network.

import { constants } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import { closeDescriptor, errnoOf, fstat, openDescriptor, readFully } from "../../store/files.ts";
import { readForeignFile } from "../../store/foreignFile.ts";
import type { LotAnswer, ReadLot } from "./lotReader.ts";

/** What was found of a pack: its bytes, or why they are not there. */
export type FoundPack = { readonly bytes: Buffer } | { readonly why: string };

export interface PackSource {
  /** As the person who named it knows it. */
  readonly name: string;
  /**
   * The bytes of a pack, whatever they are, if there are as many as its manifest says; else why not.
   * @throws HoldfastError seed-source-gone when the source as a whole is not there (any more); cancelled
   */
  read(vault: string, pack: { readonly name: Uint8Array; readonly bytes: number }): Promise<FoundPack>;
  /**
   * The same for a lot of small packs, with those that are there and have the hash that is their name; the others may be read alone. A source
   * without it has no files on this machine.
   */
  readLot?(vault: string, packs: readonly SeedPackRow[], read: ReadLot): Promise<LotAnswer>;
  /** The box's custody log as it is there; undefined where there is none. */
  custody(): Promise<Buffer | undefined>;
  /** Names (hex) of packs that are there and that `isListed` does not know; `most` at most. */
  strays(vault: string, isListed: (name: string) => boolean, most: number): Promise<string[]>;
}

/** A directory on this machine. */
export class FolderSource implements PackSource {
  readonly name: string;
  readonly #path: string;

  constructor(path: string) {
    this.name = path;
    this.#path = path;
  }

  async read(vault: string, pack: { readonly name: Uint8Array; readonly bytes: number }): Promise<FoundPack> {
    const path = this.#packPath(vault, toHex(pack.name));
    try {
      // Not to wait for a writer, where somebody put a pipe under the name.
      const fd = await openDescriptor(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stats = await fstat(fd);
        if (!stats.isFile()) return { why: "it is no file" };
        const { size } = stats;
        if (size !== pack.bytes) return { why: `its file has ${size} bytes and not ${pack.bytes}` };
        const bytes = Buffer.allocUnsafeSlow(pack.bytes);
        const read = await readFully(fd, bytes, 0);
        return read === pack.bytes ? { bytes } : { why: "its file ended early" };
      } finally {
        await closeDescriptor(fd);
      }
    } catch (error) {
      await this.#requireThere();
      return { why: errnoOf(error) === "ENOENT" ? "its file is not there" : (error as Error).message };
    }
  }

  async readLot(vault: string, packs: readonly SeedPackRow[], read: ReadLot): Promise<LotAnswer> {
    const answer = await read(join(this.#path, "vaults", vault), packs);
    if (answer.right.includes(0)) await this.#requireThere();
    return answer;
  }

  async strays(vault: string, isListed: (name: string) => boolean, most: number): Promise<string[]> {
    const strays: string[] = [];
    const packs = join(this.#path, "vaults", vault, "packs");
    for (const folder of await namesIn(packs)) {
      for (const name of await namesIn(join(packs, folder))) {
        if (/^[0-9a-f]{64}$/.test(name) && !isListed(name)) strays.push(name);
        if (strays.length === most) return strays;
      }
    }
    return strays;
  }

  async custody(): Promise<Buffer | undefined> {
    try {
      const bytesMax = limits.custodyLinesMax * limits.custodyLineBytesMax;
      return await readForeignFile(join(this.#path, "seed", "custody"), bytesMax);
    } catch {
      return undefined;
    }
  }

  #packPath(vault: string, name: string): string {
    return join(this.#path, "vaults", vault, "packs", name.slice(0, 2), name);
  }

  /** A disk that was pulled looks like one without packs: tell the two apart. A second disk need not have packs of every vault. */
  async #requireThere(): Promise<void> {
    try {
      await stat(join(this.#path, "vaults"));
    } catch (cause) {
      throw new HoldfastError(
        ErrorCode.seedSourceGone,
        `${this.#path} is not there, or is no directory with packs of a box`,
        {
          next: "Connect the disk, name the directory in which `vaults` is, and run this again: it goes on where it stopped.",
          detail: { path: this.#path },
          cause,
        },
      );
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw error;
  }
}
