// POSIX ACLs as Linux keeps them in attributes, written as text for tar: "user::rw-\nuser:1000:r--\n...".

const version = 2;
const headBytes = 4;
const rowBytes = 8;

const tags: Readonly<Record<number, { readonly word: string; readonly hasId: boolean }>> = {
  1: { word: "user", hasId: false },
  2: { word: "user", hasId: true },
  4: { word: "group", hasId: false },
  8: { word: "group", hasId: true },
  16: { word: "mask", hasId: false },
  32: { word: "other", hasId: false },
};

/** The text, or undefined for a value that is none of the kernel's. */
export function aclText(value: Uint8Array): string | undefined {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length < headBytes || (bytes.length - headBytes) % rowBytes !== 0) return undefined;
  if (bytes.readUInt32LE(0) !== version) return undefined;
  const rows: string[] = [];
  for (let at = headBytes; at < bytes.length; at += rowBytes) {
    const tag = tags[bytes.readUInt16LE(at)];
    const permissions = bytes.readUInt16LE(at + 2);
    if (tag === undefined || permissions > 7) return undefined;
    const letters = [4, 2, 1].map((bit, index) => ((permissions & bit) === 0 ? "-" : "rwx"[index]));
    rows.push(`${tag.word}:${tag.hasId ? bytes.readUInt32LE(at + 4) : ""}:${letters.join("")}`);
  }
  return rows.length === 0 ? undefined : rows.join("\n");
}
