// What an archive does when it cannot be finished: it ends with an error, and no program takes it for whole.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { archive } from "../../../fs/archive/archive.ts";
import type { ArchiveOptions } from "../../../fs/archive/archiveTypes.ts";
import type { ViewNode } from "../../../fs/view/view.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { directory, file, type MemoryNode, MemoryView, sparseFile } from "../memoryView.ts";
import { archiveFolder, runTool, toolsReady } from "./archiving.ts";

const MiB = 2n ** 20n;

function tree(): { top: MemoryNode; bad: MemoryNode } {
  const bad = sparseFile(20n * MiB, [{ offset: 0n, length: 20n * MiB }]);
  const rows = Array.from({ length: 20 }, (_, index) => [`${index}`, file(`${index}`)] as const);
  return { bad, top: directory([...rows, ["bad", bad], ["zz", file("after")]]) };
}

/** A view in which reading a node at or after an offset fails. */
function damaged(top: MemoryNode, bad: ViewNode, from: bigint): MemoryView {
  const view = new MemoryView(top);
  view.beforeRead = (node, offset) => {
    if (node !== bad || offset < from) return;
    throw new HoldfastError(ErrorCode.chunkDamaged, "chunk ab is damaged", { detail: { chunk: "ab" } });
  };
  return view;
}

async function until(view: MemoryView, options: ArchiveOptions): Promise<{ got: Buffer; error: unknown }> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of archive(view, view.root, options)) pieces.push(piece);
  } catch (error) {
    return { got: Buffer.concat(pieces), error };
  }
  throw new Error("it did not fail");
}

for (const format of ["tar", "zip"] as const) {
  describe(`${format} that cannot be finished`, () => {
    it("names the damaged file, and stops there", async () => {
      const { top, bad } = tree();
      const { error, got } = await until(damaged(top, bad, 15n * MiB), { format, name: Buffer.from("top") });
      expect(error).toMatchObject({
        code: "chunk-damaged",
        message: expect.stringContaining("top/bad: chunk ab"),
        detail: { chunk: "ab", path: "top/bad" },
      });
      expect(got.includes("after")).toBe(false);
    });

    it.skipIf(!toolsReady)("is not whole to any program", async () => {
      const { top, bad } = tree();
      const views = [
        damaged(top, bad, 0n),
        damaged(top, bad, 15n * MiB),
        new MemoryView(top),
        new MemoryView(top),
      ];
      const failing = (): never => {
        throw new HoldfastError(ErrorCode.chunkDamaged, "page ab is damaged");
      };
      const [, , first, last] = views as [MemoryView, MemoryView, MemoryView, MemoryView];
      // What tells of a file fails before anything of it is in the archive: a cut between two members.
      first.extentAt = first.readPage = async () => failing();
      last.xattrs = async (node) => (node === top.children?.get("zz") ? failing() : new Map());
      last.extentAt = async (node, at) => {
        if (node === top.children?.get("zz")) failing();
        return MemoryView.prototype.extentAt.call(last, node, at);
      };
      const path = join(archiveFolder(), `cut.${format}`);
      if (format === "zip") views.pop(); // it has no place for attributes and holes
      for (const [index, view] of views.entries()) {
        const { got } = await until(view, { format, name: Buffer.from("top") });
        writeFileSync(path, got);
        const programs =
          format === "tar"
            ? [
                ["tar", "-tf", "-"],
                ["bsdtar", "-tf", "-"],
              ]
            : [
                ["unzip", "-t", path],
                ["7z", "t", path],
              ];
        for (const [program = "", ...args] of programs) {
          const { status, output } = runTool(program, args, format === "tar" ? { input: got } : {});
          expect(status, `${program}, ${index}: ${output}`).not.toBe(0);
        }
      }
    });

    it("does not pass on content that ends too early", async () => {
      const { top, bad } = tree();
      const view = new MemoryView(top);
      const read = view.read.bind(view);
      view.read = async (node, offset, length, signal) => {
        const bytes = await read(node, offset, length, signal);
        return node === bad && offset > 0n ? bytes.subarray(1) : bytes;
      };
      const { error } = await until(view, { format });
      expect(error).toMatchObject({ code: "truncated", message: expect.stringContaining("bad: ") });
    });

    it("stops when it is cancelled, also while a read hangs", async () => {
      const { top, bad } = tree();
      const stop = new AbortController();
      const view = new MemoryView(top);
      view.beforeRead = (node, _offset, signal) => {
        if (node !== bad) return;
        setImmediate(() => stop.abort(new HoldfastError(ErrorCode.cancelled, "stopped")));
        return new Promise((_, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
        });
      };
      const { error } = await until(view, { format, signal: stop.signal });
      expect(error).toMatchObject({ code: "cancelled" });
    });

    it("reads no further than a little ahead of its reader, and stops when the reader leaves", async () => {
      const { top } = tree();
      top.children?.set("bad", sparseFile(200n * MiB, [{ offset: 0n, length: 200n * MiB }]));
      const view = new MemoryView(top);
      for await (const _piece of archive(view, top, { format, compress: false })) {
        for (let turns = 0; turns < 100; turns++) await new Promise(setImmediate);
        break;
      }
      const { read } = view.counts;
      expect(read).toBeLessThan(48);
      for (let turns = 0; turns < 100; turns++) await new Promise(setImmediate);
      expect(view.counts).toMatchObject({ read, readsNow: 0 });
    });
  });
}
