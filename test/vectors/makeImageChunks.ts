// Makes the golden vector of the chunkers of disk images, once: `node test/vectors/makeImageChunks.ts`. It refuses to overwrite.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fixedChunkBytes } from "../../vault/chunk/chunker.ts";
import { nextFixedCut } from "../../vault/chunk/fixed.ts";

const MiB = 1024 * 1024;

const ranges = [
  { chunker: "fixed-1", from: 0, to: 3 * MiB + 5 },
  { chunker: "fixed-2", from: 0, to: MiB },
  { chunker: "fixed-2", from: 4096, to: 300_000 },
  { chunker: "fixed-2", from: 2 ** 43 + 131_071, to: 2 ** 43 + 400_000 },
] as const;
const cuts = ranges.map(({ chunker, from, to }) => {
  const chunkBytes = fixedChunkBytes(chunker, Buffer.alloc(0), to) as number;
  const ends: number[] = [];
  for (let at = from; at < to; ends.push(at)) at += nextFixedCut(chunkBytes, at, 0, to - at);
  return { chunker, from, to, ends };
});

const endings = "img raw dd qcow qcow2 qed vdi vmdk vhd vhdx avhd avhdx hdd hds".split(" ");
const named = [
  ...endings.map((ending) => ({ name: `a.${ending}`, size: 16 * MiB })),
  { name: "B.VHDX", size: 2 ** 40 },
  { name: "small.img", size: 16 * MiB - 1 },
  { name: "disk.img.zst", size: 2 ** 30 },
  { name: "img", size: 2 ** 30 },
  { name: "cd.iso", size: 2 ** 30 },
];
const files = named.map(({ name, size }) => {
  const image = fixedChunkBytes("auto-1", Buffer.from(name), size) !== undefined;
  return { name, size, chunker: image ? "fixed-2" : "fastcdc-1" };
});

const about = "`cuts`: where the chunks of a range of a file end. `files`: what auto-1 cuts a file of this name and size by.";
const path = fileURLToPath(new URL("image-chunks.json", import.meta.url));
writeFileSync(path, `${JSON.stringify({ about, cuts, files }, null, 1)}\n`, { flag: "wx" });
