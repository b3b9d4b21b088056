// The tarball, and the agent's single file: a shell script with a tarball behind it.

import { createHash } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { runTool } from "./tools.ts";

export type ArchivePlan = {
  /** Seconds since 1970 of all that is in it. */
  readonly epoch: number;
  /** gzip's 1 to 9. */
  readonly level: number;
};

/** A .tar.gz of a folder under the folder's own name, or (`inside`) of what is in it. Root's, and the same bytes each time. */
export function makeTarball(folder: string, to: string, { epoch, level }: ArchivePlan, inside = false): void {
  const place = inside ? ["-C", folder, "."] : ["-C", dirname(folder), basename(folder)];
  const tar = `tar --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mtime=@${epoch} --mode=u=rwX,go=rX -c "$@"`;
  runTool("bash", ["-c", `set -o pipefail; ${tar} | gzip -n -${level} > "$0"`, to, ...place]);
}

/** Puts `script` before a tarball; `@HASH@` and `@LINE@` in it become the tarball's name and first line. */
export function makeSingleFile(script: string, tarball: string, to: string): void {
  const bytes = readFileSync(tarball);
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 32);
  const lines = script.split("\n").length;
  const text = script.replaceAll("@HASH@", hash).replaceAll("@LINE@", String(lines));
  writeFileSync(to, Buffer.concat([Buffer.from(text), bytes]));
  chmodSync(to, 0o755);
}
