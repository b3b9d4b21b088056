// One header block of a tar archive (POSIX ustar). What does not fit a field is left to the pax records before it.

/** Types of members, as they stand in the header. */
export const TarType = {
  file: "0",
  hardLink: "1",
  symlink: "2",
  characterDevice: "3",
  blockDevice: "4",
  directory: "5",
  fifo: "6",
  pax: "x",
} as const;
export type TarType = (typeof TarType)[keyof typeof TarType];

export const blockBytes = 512;

/** Widths that decide whether a value fits; numbers lose one character to the NUL at their end. */
export const ustarMax = {
  nameBytes: 100,
  prefixBytes: 155,
  linkBytes: 100,
  ownerBytes: 31,
  id: 0o7777777,
  device: 0o7777777,
  size: 0o77777777777,
  seconds: 0o77777777777,
} as const;

export type UstarFields = {
  readonly type: TarType;
  readonly name: Uint8Array;
  readonly prefix?: Uint8Array;
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  /** Whole seconds. */
  readonly mtime?: number;
  readonly link?: Uint8Array;
  readonly user?: string;
  readonly group?: string;
  readonly major?: number;
  readonly minor?: number;
};

/** The block. Numbers beyond their field become the nearest that fits, bytes are cut: pax records say what is right. */
export function ustarBlock(fields: UstarFields): Buffer {
  // From Node's pool: hundreds of thousands of buffers with memory of their own keep the collector busy.
  const block = Buffer.allocUnsafe(blockBytes).fill(0);
  const put = (bytes: Uint8Array, at: number, width: number): void => {
    block.set(bytes.subarray(0, width), at);
  };
  const number = (value: number, at: number, digits: number): void => {
    const fitting = Math.min(Math.max(value, 0), 8 ** digits - 1);
    block.write(fitting.toString(8).padStart(digits, "0"), at, "latin1");
  };
  put(fields.name, 0, ustarMax.nameBytes);
  number(fields.mode, 100, 7);
  number(fields.uid ?? 0, 108, 7);
  number(fields.gid ?? 0, 116, 7);
  number(fields.size ?? 0, 124, 11);
  number(fields.mtime ?? 0, 136, 11);
  block.write(fields.type, 156, "latin1");
  if (fields.link !== undefined) put(fields.link, 157, ustarMax.linkBytes);
  block.write("ustar\x0000", 257, "latin1");
  put(Buffer.from(fields.user ?? ""), 265, ustarMax.ownerBytes);
  put(Buffer.from(fields.group ?? ""), 297, ustarMax.ownerBytes);
  number(fields.major ?? 0, 329, 7);
  number(fields.minor ?? 0, 337, 7);
  if (fields.prefix !== undefined) put(fields.prefix, 345, ustarMax.prefixBytes);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0`, 148, "latin1");
  return block;
}

/** A path as name and prefix of a header, or undefined where it does not fit them. */
export function splitName(path: Buffer): Pick<UstarFields, "name" | "prefix"> | undefined {
  if (path.length <= ustarMax.nameBytes) return { name: path };
  // The slash between the two is in neither; a directory's own at the end stays in the name.
  const last = Math.min(ustarMax.prefixBytes, path.length - 2);
  const slash = path.lastIndexOf(0x2f, last);
  if (slash <= 0 || path.length - slash - 1 > ustarMax.nameBytes) return undefined;
  return { name: path.subarray(slash + 1), prefix: path.subarray(0, slash) };
}

/** How many bytes stand between `length` and the next block. */
export function paddingAfter(length: number): number {
  return (blockBytes - (length % blockBytes)) % blockBytes;
}

/** The zeros after so many bytes; not to be written to. */
export function padding(length: number): Buffer {
  return zeros.subarray(0, paddingAfter(length));
}

const zeros = Buffer.alloc(blockBytes);
