// With --delete: what is at the target and not in the snapshot goes.
//
// Invariant: nothing goes that the backup never looked at. What is mounted at the target is left alone unless the snapshot has its content: the folder
// was a mount point then, too, and was gone into. What a gateway stores (source/gatewayData.ts) is never deleted.

import type { TreeEntry } from "../../fs/view/treeReader.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { SystemError } from "../platform/systemError.ts";
import { gatewayOf, gatewayVaults } from "../source/gatewayData.ts";
import { noteProblem } from "./noteProblem.ts";
import type { PlaceParts } from "./placeEntry.ts";
import { isMountPoint, removeTree } from "./removeTree.ts";
import type { Known, RestoreFolder } from "./restoreFolder.ts";
import { childPath } from "./targetDirectories.ts";

export type StrangerParts = Pick<PlaceParts, "platform" | "directories" | "counts" | "delete" | "dryRun">;

export class Strangers {
  readonly #parts: StrangerParts;

  constructor(parts: StrangerParts) {
    this.#parts = parts;
  }

  /** What the snapshot knows of a directory in `folder`; `isNamed`: it is at or below a path that was backed up. */
  known(folder: RestoreFolder, entry: TreeEntry, isNamed: boolean): Known {
    if (folder.known === "apart") return "apart";
    if (folder.known !== "all" && !isNamed) return "some";
    return this.#parts.delete && this.#isApart(folder, entry) ? "apart" : "all";
  }

  /** Removes what sorts before a name of the snapshot and is not in it; all that is left, without one. */
  remove(folder: RestoreFolder, before: Buffer | undefined): void {
    const { platform, directories, counts, dryRun } = this.#parts;
    if (!this.#parts.delete || folder.known === "some") return;
    for (const name of folder.strangersBefore(before)) {
      const path = childPath(folder.path, name);
      if (folder.known === "apart") {
        if (folder.parent?.known !== "apart" && !folder.told)
          counts.note("info", folder.path, ErrorCode.exists, "nothing in it is deleted: it is a mount point");
        folder.told = true;
        return;
      }
      try {
        if (this.#isStored(folder, name)) {
          counts.note("warning", path, ErrorCode.exists, "not deleted: a gateway keeps its vaults there");
          continue;
        }
        counts.action("delete", path);
        counts.deleted += dryRun ? 1 : removeTree(platform, directories.at(folder.path), name);
      } catch (error) {
        noteProblem(counts, path, error);
      }
    }
  }

  #isStored(folder: RestoreFolder, name: Buffer): boolean {
    const { platform, directories } = this.#parts;
    return name.equals(gatewayVaults) && gatewayOf(platform, directories.at(folder.path)) !== undefined;
  }

  #isApart(folder: RestoreFolder, { name, child, device }: TreeEntry): boolean {
    const isEmpty = child === undefined || child.files + child.directories === 0;
    // Of the first folders nobody knows.
    const wasMounted = folder.device === undefined ? undefined : device !== folder.device;
    if (!this.#isMountPoint(folder, name)) return isEmpty && wasMounted === true;
    return isEmpty || wasMounted === false;
  }

  #isMountPoint(folder: RestoreFolder, name: Uint8Array): boolean {
    if (!folder.had(name)) return false;
    const { platform, directories } = this.#parts;
    try {
      return isMountPoint(platform, directories.at(folder.path), name);
    } catch (error) {
      // What cannot be looked at is left alone.
      if (error instanceof SystemError) return true;
      throw error;
    }
  }
}
