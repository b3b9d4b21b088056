// Gateways in processes of their own on one folder: racing for the chain, and killed between and within all steps of a generation.
import { fork } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Manifest } from "../../../gateway/replica/chain/manifest.ts";
import { packKey } from "../../../gateway/replica/keys.ts";
import { ManifestPageType } from "../../../vault/magic.ts";
import { parseRoot, rootHash, type VaultRoot } from "../../../vault/replica/root.ts";
import { ChainPlace, rootsKey, vault } from "./chainFixture.ts";

let place: ChainPlace;
beforeEach(async () => {
  place = await ChainPlace.make();
});
afterEach(() => place.remove());

/** Runs a gateway to its end; which generations it says it appended. */
async function run(
  name: string,
  generations: number,
  killAt = 0,
): Promise<{ appended: number[]; killed: boolean }> {
  const appended: number[] = [];
  const program = join(import.meta.dirname, "chainProcess.ts");
  const memory = join(place.folder, "..", `memory ${name}`);
  const child = fork(program, [place.folder, memory, name, `${generations}`, `${killAt}`], {
    stdio: "inherit",
  });
  child.on("message", (generation) => appended.push(generation as number));
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  if (signal === null) expect(code).toBe(0);
  return { appended, killed: signal === "SIGKILL" };
}

/** Every root follows the one before; the newest one's manifest is whole, and all it lists is there. Returns the roots. */
async function checkReplica(): Promise<VaultRoot[]> {
  const names = await readdir(join(place.folder, "vaults", vault, "root")).catch(() => []);
  const roots: VaultRoot[] = [];
  let previous = "00".repeat(32);
  for (let generation = 1; generation <= names.length; generation++) {
    const bytes = await readFile(place.rootFile(generation));
    const root = parseRoot(bytes, { chain: "vault", id: vault, generation }, rootsKey);
    expect(root.previous).toBe(previous);
    expect(root.fence).toBeGreaterThanOrEqual(roots.at(-1)?.fence ?? 1);
    previous = rootHash(bytes);
    roots.push(root);
  }
  const store = await place.store();
  const manifest = await Manifest.load(store, vault, roots.at(-1));
  for await (const rows of manifest.rows(ManifestPageType.packs)) {
    for (const { name, bytes } of rows) expect(await store.head(packKey(vault, name))).toEqual({ bytes });
  }
  expect(manifest.packs).toBe(roots.at(-1)?.packs ?? 0);
  return roots;
}

test("two gateways that take over from each other leave one chain", async () => {
  const [a, b] = await Promise.all([run("a", 15), run("b", 15)]);
  const roots = await checkReplica();
  const all = [...a.appended, ...b.appended].sort((x, y) => x - y);
  expect(all).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  expect(roots.map(({ generation }) => generation)).toEqual(all);
  expect(roots.at(-1)?.packs).toBe(30);
  for (const { appended, writer } of [
    { ...a, writer: "a" },
    { ...b, writer: "b" },
  ]) {
    const written = roots.filter((root) => root.writer === writer.repeat(32));
    expect(written.map(({ generation }) => generation)).toEqual(appended);
  }
});

test("killed before and after every put and delete, it goes on, and nothing that a root names is missing", async () => {
  await run("a", 2);
  let roots = (await checkReplica()).length;
  // A generation is a pack, pages of packs, doomed and top, the root, and the deletes.
  let kills = 0;
  for (let step = 1; step <= 9; step++) {
    for (const killAt of [step, -step]) {
      const { appended, killed } = await run("a", 1, killAt);
      expect(killed || appended.length === 1).toBe(true);
      if (killed) kills++;
      const now = (await checkReplica()).length;
      // The root may have been appended without a word of it, never the other way round.
      expect(now - roots).toBeGreaterThanOrEqual(appended.length);
      expect(now - roots).toBeLessThanOrEqual(1);
      roots = now;
    }
  }
  const { appended } = await run("a", 1);
  expect(appended).toEqual([roots + 1]);
  const last = (await checkReplica()).at(-1);
  expect(kills).toBeGreaterThanOrEqual(10);
  // Never fenced by itself: all are of one fence.
  expect(last?.fence).toBe(1);
  // What was superseded and what a killed run left are all that is there besides.
  const pages = await readdir(join(place.folder, "vaults", vault, "manifest"));
  expect(pages.length).toBeLessThanOrEqual(6 + 18 * 3);
}, 240_000);
