// How a writer cuts content, byte by byte (docs/format.md, section 6.1).

const KiB = 1024;
const MiB = 1024 * KiB;

export const fastCdcSizes = { min: 256 * KiB, normal: MiB, max: 4 * MiB };

/** Where the chunks of `content` end, by fastcdc-1. */
export function fastCdcEnds(content: Uint8Array, gear: readonly number[]): number[] {
  const { min, normal, max } = fastCdcSizes;
  const ends: number[] = [];
  let start = 0;
  while (start < content.length) {
    const rest = content.length - start;
    let length = 0;
    if (rest <= min) {
      length = rest;
    } else {
      let h = 0;
      for (let i = min; length === 0; i++) {
        h = ((h << 1) + gear[content[start + i]!]!) >>> 0;
        const bits = i < normal ? 22 : 18;
        if (h >>> (32 - bits) === 0 || i + 1 === max || i + 1 === rest) length = i + 1;
      }
    }
    start += length;
    ends.push(start);
  }
  return ends;
}

export const fixedSizes = { "fixed-1": MiB, "fixed-2": 128 * KiB };

/** Where the chunks of a file's range end, by fixed-1 or fixed-2. */
export function fixedEnds(from: number, to: number, chunker: keyof typeof fixedSizes): number[] {
  const ends: number[] = [];
  for (let at = from; at < to; ) {
    at = Math.min(to, (Math.floor(at / fixedSizes[chunker]) + 1) * fixedSizes[chunker]);
    ends.push(at);
  }
  return ends;
}

/** What auto-1 cuts a file by. */
export function chunkerOf(name: string, size: number): "fastcdc-1" | "fixed-2" {
  const image = /\.(img|raw|dd|qcow2?|qed|vdi|vmdk|a?vhdx?|hd[ds])$/i.test(name);
  return image && size >= 16 * MiB ? "fixed-2" : "fastcdc-1";
}

export function splitHash(name: Uint8Array, split: readonly number[]): number {
  let h = 0n;
  for (const byte of name) h = (h * 2654435761n + BigInt(split[byte]!)) % 2n ** 32n;
  return Number(h);
}

export type SmallFile = { readonly uid: number; readonly size: number; readonly name: Uint8Array };

/** The files in bundles, in walk order. */
export function bundles(files: readonly SmallFile[], split: readonly number[]): SmallFile[][] {
  const result: SmallFile[][] = [];
  let bundle: SmallFile[] = [];
  const sizeOf = (): number => bundle.reduce((sum, file) => sum + file.size, 0);
  const end = (): void => {
    if (bundle.length > 0) result.push(bundle);
    bundle = [];
  };
  for (const file of files) {
    const tooBig = sizeOf() + file.size > MiB || bundle.length + 1 > 2048;
    const otherOwner = bundle.length > 0 && bundle[0]!.uid !== file.uid;
    if (tooBig || otherOwner) end();
    bundle.push(file);
    if (sizeOf() >= 512 * KiB && splitHash(file.name, split) >>> 30 === 0) end();
  }
  end();
  return result;
}
