// What callers say and hear about an archive, whatever its format.

import { pathToText } from "../../vault/pathText.ts";

/** Formats with what HTTP and file names call them. */
export const archiveFormats = {
  tar: { mediaType: "application/x-tar", extension: ".tar" },
  zip: { mediaType: "application/zip", extension: ".zip" },
} as const;
export type ArchiveFormat = keyof typeof archiveFormats;

/** Something that the archive cannot hold as it is. `info`: by design and nothing is missing that could be restored. */
export type ArchiveNote = {
  readonly level: "info" | "warning";
  /** Inside the archive, as text (vault/pathText.ts). */
  readonly path: string;
  readonly message: string;
};

export type ArchiveOptions = {
  readonly format: ArchiveFormat;
  /**
   * What the node is called inside the archive, one name. A folder may go without one: its content is then at the top, and
   * the folder itself is not in the archive.
   */
  readonly name?: Uint8Array;
  /** ZIP: false stores content as it is, so that the length of the archive is known ahead. True unless given. */
  readonly compress?: boolean;
  readonly signal?: AbortSignal;
  readonly onNote?: (note: ArchiveNote) => void;
  /** How much content went by. */
  readonly onProgress?: (progress: ArchiveProgress) => void;
};

/** Files that have content, and bytes of it before any compression. */
export type ArchiveProgress = { readonly files: number; readonly bytes: number };

/** Takes notes with the path as bytes. */
export type NoteTaker = (level: ArchiveNote["level"], path: Uint8Array, message: string) => void;

export function noteTaker(onNote: ArchiveOptions["onNote"]): NoteTaker {
  return (level, path, message) => onNote?.({ level, path: pathToText(path), message });
}

/** Counts content as it goes by. */
export class ProgressCount {
  readonly #tell: ArchiveOptions["onProgress"];
  #last: unknown;
  #files = 0;
  #bytes = 0;

  constructor(tell: ArchiveOptions["onProgress"]) {
    this.#tell = tell;
  }

  /** @param file whose bytes they are: any value that is the same for all of one file */
  add(file: unknown, bytes: number): void {
    if (bytes === 0) return;
    if (file !== this.#last) this.#files += 1;
    this.#last = file;
    this.#bytes += bytes;
    this.#tell?.({ files: this.#files, bytes: this.#bytes });
  }
}
