// Names of the folders above snapshots: accounts, devices and items as they are called, snapshots by their time.

import { createHash } from "node:crypto";

/** What Linux takes as one name. */
const nameBytesMax = 255;
const hashDigits = 16;

/**
 * A name as a folder: `/`, `%`, control characters and a leading dot or @ (kept for special folders) become %XX. Different names give
 * different folders; one that would be too long is cut and ends with a hash.
 */
export function folderName(name: string): string {
  let folder = name.replace(/^[.@]|[/%\\\p{Cc}]/gu, (char) =>
    Buffer.from(char).reduce(
      (text, byte) => `${text}%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
      "",
    ),
  );
  if (folder === "") folder = "%";
  if (Buffer.byteLength(folder) <= nameBytesMax) return folder;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, hashDigits);
  const kept = Buffer.from(folder).subarray(0, nameBytesMax - hashDigits - 4);
  return `${kept.toString("utf8").replace(/\ufffd+$/u, "")}%~${hash}`;
}

/** "2026-11-22T054512Z" for a time in milliseconds since 1970: no colons, which Windows cannot show. */
export function timeFolder(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replaceAll(":", "")}Z`;
}

/** Whether a name may be one that timeFolders gives. */
export function isTimeFolder(name: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d{6}Z(?:-\d+)?(?:-incomplete)?$/.test(name);
}

/** Whether a name may be one that gmtFolder gives. */
export function isGmtFolder(name: string): boolean {
  return /^@GMT-[\d.]+-[\d.]+$/.test(name);
}

/** "@GMT-2026.11.22-05.45.12": what Samba's shadow_copy2 asks for by default. */
export function gmtFolder(timeMs: number): string {
  return `@GMT-${new Date(timeMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, ".").replace("T", "-")}`;
}

/** What follows the time of a snapshot that stopped at a limit, so that nobody takes its folder for the whole. */
export const incompleteSuffix = "-incomplete";

/** Names for times in ascending order: the second, third... of one second gets -2, -3... */
export function timeFolders(timesMs: readonly number[]): string[] {
  const seen = new Map<string, number>();
  return timesMs.map((timeMs) => {
    const folder = timeFolder(timeMs);
    const count = (seen.get(folder) ?? 0) + 1;
    seen.set(folder, count);
    return count === 1 ? folder : `${folder}-${count}`;
  });
}
