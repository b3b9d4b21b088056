// The archives of fs/archive for fs/webdav, which does not know it.

import { archive, archiveBytes } from "../../fs/archive/archive.ts";
import { type ArchiveFormat, type ArchiveOptions, archiveFormats } from "../../fs/archive/archiveTypes.ts";
import type { Archiver, ArchiverOptions } from "../../fs/webdav/archiveAnswer.ts";

export const archiver: Archiver = {
  formats: archiveFormats,
  make: (view, node, options) => archive(view, node, archiveOptions(options)),
  length: (view, node, options) => archiveBytes(view, node, archiveOptions(options)),
};

function archiveOptions({ format, ...options }: ArchiverOptions): ArchiveOptions {
  return { ...options, format: format as ArchiveFormat };
}
