// Files that a view offers to whoever takes them, in the way of a reader.

import { randomBytes } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import type { ReadyFile } from "../../../fs/view/readyFiles.ts";
import type { FoundRow, RowDirectory } from "../../../fs/view/rows.ts";
import type { VaultView } from "../../../fs/view/vaultView.ts";
import type { DirectoryRow } from "../../../fs/view/view.ts";
import { FixtureVault } from "../fixtureVault.ts";
import { directoryOf, fileOf, type NodeSpec, sparseOf } from "../treeSpec.ts";
import { viewOf, walk } from "../viewWalk.ts";

const root = "anna/laptop/files/2026-11-22T054512Z";
let view: VaultView | undefined;
afterEach(() => view?.close());

const contentOf = ({ pieces }: ReadyFile): Buffer =>
  Buffer.concat(pieces.map(({ record, start, length }) => record.plaintext.subarray(start, start + length)));

/** Takes files of directories that were listed, and keeps them. */
class Taker {
  readonly taken: { readonly row: number; readonly content: Buffer }[] = [];
  readonly #listed = new Set<string>();
  readonly #view: VaultView;

  constructor(of: VaultView) {
    this.#view = of;
    of.rows.ready.offerTo((file) => {
      if (!this.#listed.has(file.directory)) return false;
      const content = contentOf(file);
      expect(content.length).toBe(file.size);
      this.taken.push({ row: file.row, content });
      return true;
    });
  }

  /** Lists a folder below the root of the snapshot, come by through the rows of those above it. */
  async list(...names: string[]): Promise<void> {
    const { rows } = this.#view;
    let directory = rows.directoryOf(await walk(this.#view, root)) as RowDirectory;
    for (const name of names) {
      const found = (await rows.find(directory, Buffer.from(name))) as FoundRow;
      directory = found.run.directory(found.row) as RowDirectory;
    }
    await rows.run(directory, 0, true);
    this.#listed.add(Buffer.from(directory.id).toString("latin1"));
    rows.ready.listed(directory);
  }

  /** Waits until so many were taken. */
  async has(count: number): Promise<void> {
    for (let turn = 0; this.taken.length < count && turn < 100_000; turn++)
      await new Promise((resolve) => setImmediate(resolve));
    expect(this.taken.length).toBe(count);
  }
}

/** Reads the start of a file that was come by through a listing, as a walk does. */
async function readStart(of: VaultView, folder: string, name: string): Promise<void> {
  const { rows } = await of.readPage(await walk(of, folder), 0n, 100);
  const row = rows.find((each) => Buffer.from(each.name).toString() === name) as DirectoryRow;
  await of.read(row.node, 0n, 10);
}

test("come in the order of the walk, when their folder was listed; folders that nobody lists are passed over", async () => {
  const vault = new FixtureVault();
  const bytes = new Map<string, Buffer>();
  const file = (name: string): NodeSpec => {
    const content = randomBytes(1000);
    bytes.set(name, content);
    return fileOf(content);
  };
  const below = { x: file("x"), y: file("y") };
  const skipped = { s: file("s"), t: file("t") };
  // `b` has a folder before its file: what is in there comes first.
  const b = directoryOf({ "0": directoryOf(below), z: file("z") });
  const top = {
    a: directoryOf({ a1: file("a1"), a2: file("a2"), a3: file("a3") }),
    b,
    c: directoryOf(skipped),
  };
  vault.snapshot(directoryOf({ ...top, d: directoryOf({ u: file("u"), empty: fileOf("") }) }));
  view = viewOf(vault);
  const taker = new Taker(view);
  await taker.list();
  await taker.list("a");
  await readStart(view, `${root}/a`, "a1");
  await readStart(view, `${root}/a`, "a2");
  await taker.has(1);
  await taker.list("b");
  await taker.list("b", "0");
  await taker.has(4);
  await taker.list("d");
  await taker.has(5);
  const names = ["a3", "x", "y", "z", "u"];
  for (const [index, name] of names.entries())
    expect(taker.taken[index]?.content.equals(bytes.get(name) as Buffer), name).toBe(true);
});

test("are not offered where a part is a hole, a chunk is away, or the reader has passed", async () => {
  const vault = new FixtureVault();
  const plain = (): NodeSpec => fileOf(randomBytes(5000));
  const rows: Record<string, NodeSpec> = {
    a: plain(),
    b: plain(),
    c: plain(),
    d: sparseOf([randomBytes(100), 9000]),
    e: plain(),
  };
  vault.snapshot(directoryOf(rows));
  view = viewOf(vault);
  const taker = new Taker(view);
  await taker.list();
  for (const name of ["a", "b"]) await readStart(view, root, name);
  await taker.has(2);
  expect(taker.taken.map(({ row }) => row)).toEqual([2, 4]);
});
