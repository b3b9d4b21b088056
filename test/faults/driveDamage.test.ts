// Damage below a mounted drive: what it hit answers EIO and is named, all else is read as ever, and once it is mended the same mount
// reads it right, because nobody keeps the failure.

import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { type Place, scanPack } from "../reference/pack.ts";
import { type Program, Site } from "./program.ts";
import { canRun } from "./requirements.ts";
import { runTool, tearDownAll } from "./tearDown.ts";

const MiB = 2 ** 20;
const block = 4096;
const [directoryType, dataType] = [2, 1];
const ready = canRun("damage below a drive", "mount");

/** Changes a byte of a file in place; the same again mends it. */
function flip(path: string, at: number): void {
  const fd = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  byte[0] = (byte[0] as number) ^ 0x10;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}

describe.skipIf(!ready)("a drive over damage", () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-drive-damage-"));
  const source = join(scratch, "source");
  const point = join(scratch, "drive");
  const seen = join(point, "alice/laptop/files/latest", source);
  const random = randomFrom(29);
  let site: Site;
  let drive: Program;
  /** Packs, the closed one of data first, with their records. */
  let packs: { readonly path: string; readonly places: readonly Place[] }[];
  let stderr = "";

  beforeAll(async () => {
    site = await Site.create(join(scratch, "site"));
    for (const folder of ["one", "wide", "other"]) mkdirSync(join(source, folder), { recursive: true });
    mkdirSync(point);
    for (let i = 0; i < 9; i++) writeFileSync(join(source, `one/large${i}`), random.bytes(5 * MiB + i));
    // Its page is by far the longest of all directories: names that no compression shortens.
    for (let i = 0; i < 150; i++)
      writeFileSync(join(source, `wide/${random.bytes(80).toString("hex")}`), `${i}`);
    writeFileSync(join(source, "other/small"), "small");
    await site.backup([source]);
    packs = runTool("find", join(site.vaultFolder, "packs"), join(site.vaultFolder, "open"), "-type", "f")
      .split("\n")
      .filter((path) => path !== "")
      .map((path) => ({ path, places: scanPack(readFileSync(path)).places }))
      .toSorted((a, b) => statSync(b.path).size - statSync(a.path).size);
  });

  beforeEach(async () => {
    // What an earlier drive fetched would be read in place of the damage.
    rmSync(join(site.state, "cache/drive"), { recursive: true, force: true });
    drive = site.agent(["mount", point, "--foreground", "--json"]);
    stderr = "";
    drive.child.stderr?.on("data", (bytes: Buffer) => {
      stderr += bytes.toString();
    });
    while (!drive.stdout.includes('"mounted"')) {
      if (!drive.running) throw new Error((await drive.ended).stderr);
      await sleep(20);
    }
  });
  afterEach(async () => {
    const ended = await drive.end("SIGTERM");
    expect(ended.status).toBe(0);
  });
  afterAll(() => {
    tearDownAll();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** The blocks at every `step` bytes of a part of a file that cannot be read; all others must be as in the source. */
  async function badBlocks(name: string, step: number, from = 0, to = 2 ** 40): Promise<number[]> {
    const wanted = readFileSync(join(source, name));
    const fd = openSync(join(seen, name), "r");
    const bad: number[] = [];
    const bytes = Buffer.alloc(block);
    for (let at = Math.max(0, from); at < Math.min(to, wanted.length); at += step) {
      try {
        const length = readSync(fd, bytes, 0, block, at);
        if (!bytes.subarray(0, length).equals(wanted.subarray(at, at + block)))
          throw new Error(`wrong bytes at ${at}`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EIO") throw error;
        bad.push(at / block);
        // Gateway and drive write to pipes that are emptied here.
        await turn();
      }
    }
    closeSync(fd);
    return bad;
  }

  /** Whether a file can be read; what is read must be as in the source. */
  function isWhole(name: string): boolean {
    try {
      expect(readFileSync(join(seen, name)).equals(readFileSync(join(source, name)))).toBe(true);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EIO") throw error;
      return false;
    }
  }

  const large = Array.from({ length: 9 }, (_, i) => `one/large${i}`);

  it("loses the range of one chunk of one file, and has it again when it is mended", async () => {
    const pack = packs[0] as (typeof packs)[number];
    const data = pack.places.filter(({ type, length }) => type === dataType && length > MiB / 2);
    const victim = data[Math.floor(data.length / 2)] as Place;
    const at = victim.offset + Math.floor(victim.length / 2);
    flip(pack.path, at);
    const hurt: string[] = [];
    for (const name of large) {
      if (isWhole(name)) continue;
      const coarse = await badBlocks(name, 16 * block);
      const [first = 0, last = 0] = [coarse[0], coarse.at(-1)];
      expect(coarse.length).toBe((last - first) / 16 + 1);
      // One run, as long as the chunk and at most a block more at either end.
      const before = await badBlocks(name, block, (first - 16) * block, first * block);
      const after = await badBlocks(name, block, last * block, (last + 16) * block);
      const blocks = last - first + before.length + after.length;
      expect(Math.abs(blocks * block - victim.length)).toBeLessThan(2 * block);
      hurt.push(name);
    }
    expect(hurt).toHaveLength(1);
    const { ino } = statSync(join(seen, hurt[0] as string), { bigint: true });
    await expect.poll(() => stderr).toContain(victim.id);
    expect(stderr).toContain(`"inode":"${BigInt.asUintN(64, ino)}"`);
    expect(readFileSync(join(seen, "other/small"), "utf8")).toBe("small");
    flip(pack.path, at);
    expect(isWhole(hurt[0] as string)).toBe(true);
  });

  it("loses one directory, and has it again when it is mended", async () => {
    const all = packs.flatMap(({ path, places }) => places.map((place) => ({ path, place })));
    const directories = all.filter(({ place }) => place.type === directoryType);
    const victim = directories.toSorted((a, b) => b.place.length - a.place.length)[0] as (typeof all)[number];
    const contentOf = (name: string): string => {
      try {
        return readFileSync(join(seen, "wide", name), "utf8");
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? "";
      }
    };
    const at = victim.place.offset + Math.floor(victim.place.length / 2);
    const names = readdirSync(join(source, "wide"));
    flip(victim.path, at);
    expect(() => readdirSync(join(seen, "wide"))).toThrow(/EIO/);
    // The names before the bad page are listed, and those of other pages are found.
    const listed = runTool("sh", "-c", 'ls "$1" 2>/dev/null || true', "sh", join(seen, "wide")).split("\n");
    const found: string[] = [];
    for (const name of names) {
      if (contentOf(name) !== "EIO") found.push(name);
      // Gateway and drive write to pipes that are emptied here.
      await turn();
    }
    expect(found.length).toBeLessThan(names.length);
    expect(found).toEqual(expect.arrayContaining(listed.filter((name) => name !== "")));
    for (const name of found) expect(contentOf(name)).toBe(readFileSync(join(source, "wide", name), "utf8"));
    expect(statSync(join(seen, "wide")).mode).toBe(statSync(join(source, "wide")).mode);
    expect(readdirSync(seen).sort()).toEqual(["one", "other", "wide"]);
    expect(readdirSync(join(seen, "one"))).toHaveLength(9);
    expect(readFileSync(join(seen, "other/small"), "utf8")).toBe("small");
    await expect.poll(() => stderr).toContain(victim.place.id);
    flip(victim.path, at);
    expect(readdirSync(join(seen, "wide")).sort()).toEqual(readdirSync(join(source, "wide")).sort());
    for (const name of names) expect(contentOf(name)).toBe(readFileSync(join(source, "wide", name), "utf8"));
  });

  it("loses what is in a pack that is gone, and has it again when it is back", async () => {
    const { path, places } = packs[0] as (typeof packs)[number];
    await site.stop();
    renameSync(path, `${path}.away`);
    await site.start();
    expect(readdirSync(join(seen, "wide"))).toHaveLength(150);
    let hurt = 0;
    for (const name of large) if ((await badBlocks(name, MiB)).length > 0) hurt++;
    expect(hurt).toBeGreaterThan(4);
    await expect.poll(() => places.some(({ id }) => stderr.includes(id))).toBe(true);
    renameSync(`${path}.away`, path);
    for (const name of large) expect(isWhole(name)).toBe(true);
  });
});
