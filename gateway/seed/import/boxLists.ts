// The datacentre's copy of a sealed box's manifest and lists (gateway/seed/acceptSeal.ts writes it).

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import {
  manifestHash,
  openSeedManifest,
  type SeedListName,
  type SeedManifest,
} from "../../../vault/seed/manifest.ts";
import { readPackList, type SeedPackRow } from "../../../vault/seed/packList.ts";
import { readSnapshotList } from "../../../vault/seed/snapshotList.ts";
import { snapshotId } from "../../../vault/snapshot.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import { fileError } from "../../store/files.ts";

export class BoxLists {
  readonly manifest: SeedManifest;
  /** SHA-256 of the manifest, hex. */
  readonly hash: string;
  readonly folder: string;

  private constructor(folder: string, manifest: SeedManifest, hash: string) {
    this.folder = folder;
    this.manifest = manifest;
    this.hash = hash;
  }

  /** Those of the newest seal that was accepted. @throws HoldfastError not-found where there is none; seal-invalid, corrupt, io-error */
  static async open(dataDir: string, box: BoxRow): Promise<BoxLists> {
    if (box.seal === null) {
      throw new HoldfastError(ErrorCode.notFound, `the manifest of box ${box.number} has not come`, {
        next: "Seal the box with a line to here, give its file to `holdfast seed promise`, or name the box's directory.",
      });
    }
    const folder = join(dataDir, "seed", String(box.number), String(box.seal.seal));
    const path = join(folder, "manifest");
    let bytes: Buffer;
    try {
      bytes = await readFile(path);
    } catch (error) {
      throw fileError(error, path);
    }
    if (manifestHash(bytes) !== box.seal.manifest) {
      throw new HoldfastError(ErrorCode.corrupt, `${path} is not the manifest that was accepted`);
    }
    return new BoxLists(folder, openSeedManifest(bytes, box.signer), box.seal.manifest);
  }

  /** The packs of a vault, in the order in which they are to be taken. @throws HoldfastError as readPackList, io-error */
  packs(vault: string): AsyncGenerator<SeedPackRow, void, undefined> {
    return readPackList(this.#pieces(vault, "packs"));
  }

  /** Ids (hex) of the snapshots of a vault. @throws HoldfastError as readSnapshotList, io-error */
  async *snapshots(vault: string): AsyncGenerator<string, void, undefined> {
    for await (const { object } of readSnapshotList(this.#pieces(vault, "snapshots")))
      yield toHex(snapshotId(object));
  }

  async *#pieces(vault: string, list: SeedListName): AsyncGenerator<Buffer, void, undefined> {
    const path = join(this.folder, vault, list);
    try {
      yield* createReadStream(path) as AsyncIterable<Buffer>;
    } catch (error) {
      throw fileError(error, path);
    }
  }
}
