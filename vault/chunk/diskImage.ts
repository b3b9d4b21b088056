// Which files are taken for disk images (docs/format.md 6.1): by name and size, never by content, so that the answer is there before the
// file is read, and the same on every machine.
import { asBuffer } from "../bytes.ts";
import { limits } from "../limits.ts";

/** Endings of names, in lower case. */
const endings = [
  "img",
  "raw",
  "dd",
  "qcow",
  "qcow2",
  "qed",
  "vdi",
  "vmdk",
  "vhd",
  "vhdx",
  "avhd",
  "avhdx",
  "hdd",
  "hds",
].map((ending) => `.${ending}`);

/** Whether a file of this name and size is taken for a disk image. Upper and lower case of ASCII letters are the same. */
export function isDiskImage(name: Uint8Array, size: number): boolean {
  if (size < limits.diskImageBytesMin) return false;
  const text = asBuffer(name).toString("latin1").toLowerCase();
  return endings.some((ending) => text.endsWith(ending));
}
