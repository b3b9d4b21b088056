import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { OpenPool } from "../../../fs/view/openPool.ts";
import { createCaches } from "../../../fs/view/recordOpener.ts";
import { VaultView } from "../../../fs/view/vaultView.ts";
import type { ViewNode } from "../../../fs/view/view.ts";
import { RecordType } from "../../../vault/magic.ts";
import { FixtureVault } from "../fixtureVault.ts";
import { directoryOf, fileOf, type NodeSpec, sparseOf } from "../treeSpec.ts";

const MiB = 1024 * 1024;
const root = "anna/laptop/files/2026-11-22T054512Z";

/** Text that shrinks to about half, different for every seed. */
const content = (length: number): Buffer => {
  const bytes = randomBytes(length);
  for (let i = 0; i < length; i += 2) bytes[i] = 32;
  return bytes;
};

class Opened {
  readonly pool = new OpenPool({ threadCount: 2 });
  readonly view: VaultView;
  locked = false;
  #tell: () => void = () => {};

  constructor(vault: FixtureVault, dataBytes?: number) {
    const keyring = {
      keysOf: () => (this.locked ? undefined : vault.keys),
      onChanged: (listener: () => void) => {
        this.#tell = listener;
        return () => {};
      },
    };
    const caches = createCaches(dataBytes);
    this.view = new VaultView({ source: vault, catalog: vault, keyring, caches, pool: this.pool });
  }

  async node(path: string): Promise<ViewNode> {
    let node = this.view.root;
    for (const name of path.split("/")) node = (await this.view.lookup(node, Buffer.from(name))) as ViewNode;
    return node;
  }

  lock(vault: FixtureVault): void {
    this.locked = true;
    vault.keys.wipe();
    this.#tell();
  }

  async close(): Promise<void> {
    this.view.close();
    await this.pool.close();
  }
}

let opened: Opened | undefined;
afterEach(() => opened?.close());

/** Bytes of all files below a directory, read as tar does: deep first, each file when its row comes. */
async function readAll(view: VaultView, directory: ViewNode): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const walk = async (node: ViewNode, path: string): Promise<void> => {
    for (const row of (await view.readPage(node, 0n, 100_000)).rows) {
      const name = `${path}/${Buffer.from(row.name)}`;
      if (row.node.attributes.kind === "directory") await walk(row.node, name);
      else files.set(name, Buffer.from(await view.read(row.node, 0n, Number(row.node.attributes.size))));
      // A reader takes its time; what is read ahead comes in meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await walk(directory, "");
  return files;
}

describe("a walk over files", () => {
  /** `directories` folders with a folder inside each; every file has a chunk of its own, since bundles end at folders. */
  function tree(directories: number, files: Map<string, Buffer>): NodeSpec {
    const add = (path: string): NodeSpec => {
      const bytes = content(100_000);
      files.set(path, bytes);
      return fileOf(bytes);
    };
    const rows: [string, NodeSpec][] = [];
    for (let i = 0; i < directories; i++) {
      const name = `d${String(i).padStart(3, "0")}`;
      rows.push([
        name,
        directoryOf({
          a: add(`/${name}/a`),
          m: directoryOf({ x: add(`/${name}/m/x`) }),
          z: sparseOf([content(300_000), 5000, content(300_000)]),
        }),
      ]);
    }
    return directoryOf(rows);
  }

  test("is read ahead of, across files and folders, each chunk once and many with a request", async () => {
    const vault = new FixtureVault();
    const files = new Map<string, Buffer>();
    vault.snapshot(tree(60, files));
    opened = new Opened(vault);
    const requests: number[] = [];
    let data = new Set<string>();
    for (const [id, record] of vault.records) if (record[5] === RecordType.data) data = data.add(id);
    vault.beforeRead = (ids) => {
      if (data.has(Buffer.from(ids[0] as Uint8Array).toString("hex"))) requests.push(ids.length);
    };
    const read = await readAll(opened.view, await opened.node(root));
    for (const [path, bytes] of files) expect(read.get(path)?.equals(bytes), path).toBe(true);
    const ids = vault.reads.filter((id) => data.has(id));
    expect(new Set(ids).size).toBe(data.size);
    expect(ids.length).toBe(data.size);
    expect(requests.length).toBeLessThan(data.size / 3);
  });

  test("is not taken for one when files are picked here and there", async () => {
    const vault = new FixtureVault();
    vault.snapshot(tree(200, new Map()));
    opened = new Opened(vault);
    const picked = [3, 170, 80, 10, 140].map((i) => `d${String(i).padStart(3, "0")}`);
    const nodes = await Promise.all(picked.map((name) => opened?.node(`${root}/${name}/a`)));
    vault.reads.length = 0;
    for (const node of nodes) await opened.view.read(node as ViewNode, 0n, 10);
    expect(vault.reads.length).toBe(picked.length);
  });

  test("stops where a page cannot be read, and the files before it are there", async () => {
    const vault = new FixtureVault();
    const files = new Map<string, Buffer>();
    vault.snapshot(tree(20, files));
    opened = new Opened(vault);
    const top = await opened.node(root);
    const rows = (await opened.view.readPage(top, 0n, 1000)).rows;
    const broken = vault.put(RecordType.data, files.get("/d007/a") as Buffer);
    vault.records.delete(broken.toString("hex"));
    for (const [index, { node }] of rows.entries()) {
      const a = (await opened.view.lookup(node, Buffer.from("a"))) as ViewNode;
      const name = `/d${String(index).padStart(3, "0")}/a`;
      const reading = opened.view.read(a, 0n, 100_000);
      if (index === 7) await expect(reading).rejects.toMatchObject({ code: "chunk-missing" });
      else expect(Buffer.from(await reading).equals(files.get(name) as Buffer)).toBe(true);
    }
  });
});

describe("records that threads open", () => {
  test("come out right for many readers and a cache that is too small for them", async () => {
    const vault = new FixtureVault();
    const parts = Array.from({ length: 24 }, () => content(MiB));
    vault.snapshot(directoryOf({ f: sparseOf(parts) }));
    const whole = Buffer.concat(parts);
    opened = new Opened(vault, 3 * MiB);
    const { view } = opened;
    const node = await opened.node(`${root}/f`);
    const reader = async (number: number): Promise<void> => {
      for (let i = 0; i < 12; i++) {
        const at = ((number * 7 + i * 5) % 23) * MiB + 12_345 * i;
        const bytes = Buffer.from(await view.read(node, BigInt(at), 2 * MiB));
        expect(bytes.equals(whole.subarray(at, at + 2 * MiB))).toBe(true);
        const pieces =
          view.piecesNow(node, BigInt(at), 4096) ?? (await view.readPieces(node, BigInt(at), 4096));
        expect(Buffer.concat(pieces).equals(whole.subarray(at, at + 4096))).toBe(true);
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, number) => reader(number)));
  });

  test("fail for their range alone when they are damaged", async () => {
    const vault = new FixtureVault();
    const parts = [content(MiB), content(MiB)];
    vault.snapshot(directoryOf({ f: sparseOf(parts) }));
    const id = vault.put(RecordType.data, parts[0] as Buffer).toString("hex");
    const record = vault.records.get(id) as Buffer;
    record[record.length - 100] = (record[record.length - 100] as number) ^ 1;
    opened = new Opened(vault);
    const node = await opened.node(`${root}/f`);
    await expect(opened.view.readPieces(node, 10n, 100)).rejects.toMatchObject({
      code: "chunk-damaged",
      detail: { chunk: id, reason: "seal-invalid" },
    });
    const sound = Buffer.concat(await opened.view.readPieces(node, BigInt(MiB), 100));
    expect(sound.equals((parts[1] as Buffer).subarray(0, 100))).toBe(true);
  });

  test("fail by themselves also where they travel with others", async () => {
    const vault = new FixtureVault();
    const chunkBytes = 128 * 1024;
    const parts = Array.from({ length: 40 }, (_, index) =>
      index % 3 === 0 ? randomBytes(chunkBytes) : content(chunkBytes),
    );
    vault.snapshot(directoryOf({ f: sparseOf(parts) }));
    const damaged = [5, 6, 30];
    for (const index of damaged) {
      const id = vault.put(RecordType.data, parts[index] as Buffer).toString("hex");
      const record = vault.records.get(id) as Buffer;
      record[200] = (record[200] as number) ^ 1;
    }
    opened = new Opened(vault);
    const { view } = opened;
    const node = await opened.node(`${root}/f`);
    // Twice: at first threads start, and the calling thread opens.
    for (let round = 0; round < 2; round++) {
      const reads = await Promise.allSettled(
        parts.map((_, index) => view.read(node, BigInt(index * chunkBytes), chunkBytes)),
      );
      for (const [index, outcome] of reads.entries()) {
        if (damaged.includes(index)) expect(outcome).toMatchObject({ reason: { code: "chunk-damaged" } });
        else expect(outcome.status === "fulfilled" && parts[index]?.equals(outcome.value)).toBe(true);
      }
      await view.read(node, BigInt(10 * chunkBytes), 20 * chunkBytes);
    }
  });

  test("are refused once the vault is locked, also those on their way", async () => {
    const vault = new FixtureVault();
    const parts = Array.from({ length: 8 }, () => content(MiB));
    vault.snapshot(directoryOf({ f: sparseOf(parts) }));
    opened = new Opened(vault);
    const node = await opened.node(`${root}/f`);
    await opened.view.read(node, 0n, 10);
    const late = opened.view.read(node, BigInt(4 * MiB), 4 * MiB);
    opened.lock(vault);
    await expect(late).rejects.toMatchObject({ code: "vault-locked" });
    await expect(opened.view.read(node, BigInt(7 * MiB), 10)).rejects.toMatchObject({ code: "vault-locked" });
    const { keys, group } = vault;
    const sent = { keys, group, id: randomBytes(32), type: RecordType.data, record: Buffer.alloc(200) };
    await expect(opened.pool.open(sent)).rejects.toMatchObject({ code: "vault-locked" });
  });
});
