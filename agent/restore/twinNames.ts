// Names that are one where a file system ignores case, or how a letter is composed (exFAT, FAT, APFS): the first of them is restored, and the
// others are told of. Else each would take the place of the one before, and nobody would know.

import { asBuffer } from "../../vault/bytes.ts";
import type { Platform } from "../platform/port.ts";
import { StatTable } from "../platform/statTable.ts";
import { displayPath, Errno, SystemError } from "../platform/systemError.ts";
import { besideName } from "./besideName.ts";
import type { RestoreFolder } from "./restoreFolder.ts";
import type { TargetDirectories } from "./targetDirectories.ts";
import { removeQuietly } from "./writeSmall.ts";

const table = new StatTable(1);
const salt = Buffer.from("case");
const newMode = 0o600;

/** Names of one folder. Only those with a capital letter, or one beyond ASCII, are kept: the others come after their twins. */
export class TwinNames {
  #kept: Map<string, Buffer> | undefined;

  /** The name before this one, if any, that may be the same. To be asked once for each name, in the order of their bytes. */
  of(name: Uint8Array): Buffer | undefined {
    let isAscii = true;
    let hasCapital = false;
    for (let i = 0; i < name.length; i++) {
      const byte = name[i] as number;
      if (byte >= 0x80) isAscii = false;
      else if (byte >= 0x41 && byte <= 0x5a) hasCapital = true;
    }
    const isKept = hasCapital || !isAscii;
    if (!isKept && this.#kept === undefined) return undefined;
    const bytes = asBuffer(name);
    const folded = (isAscii ? bytes.toString("latin1") : bytes.toString().normalize("NFC")).toLowerCase();
    this.#kept ??= new Map();
    const twin = this.#kept.get(folded);
    if (isKept && twin === undefined) this.#kept.set(folded, Buffer.from(name));
    return twin;
  }
}

/** Why a name is not restored beside one before it; undefined where it is. To be asked as `TwinNames.of`. */
export function whyTwin(
  platform: Platform,
  directories: TargetDirectories,
  folder: RestoreFolder,
  name: Uint8Array,
): string | undefined {
  const twin = folder.twins.of(name);
  if (twin === undefined) return undefined;
  folder.ignoresCase ??= ignoresCase(platform, directories, folder);
  if (!folder.ignoresCase) return undefined;
  return `not restored: ${displayPath(twin)} has its place, from which the target's file system does not tell it apart`;
}

/** Whether a name in capitals finds the same file in a folder at the target. Says no where no file can be made. */
function ignoresCase(platform: Platform, directories: TargetDirectories, { path }: RestoreFolder): boolean {
  const directory = directories.at(path);
  const name = besideName(path, salt);
  try {
    platform.close(platform.createFile(directory, name, newMode));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    // Of a run that was killed here.
    if (error.errno !== Errno.EEXIST) return false;
  }
  try {
    platform.stat(directory, Buffer.from(name.toString("latin1").toUpperCase()), table, 0);
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  } finally {
    removeQuietly(platform, directory, name);
  }
}
