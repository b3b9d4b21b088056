// Offsets of READDIR: from wherever the kernel resumes, it sees exactly the rest.

import { expect, it } from "vitest";
import { DirectoryReader } from "../../../fs/fuse/kernel/directoryReader.ts";
import { NodeTable } from "../../../fs/fuse/kernel/nodeTable.ts";
import { directory, file, MemoryView } from "../memoryView.ts";

for (const length of [0, 1, 1023, 1024, 1025, 5000, 40_000]) {
  it(`resumes anywhere in ${length} rows, also with a reader that never saw the start`, async () => {
    const rows = Array.from({ length }, (_, i) => [`n${i}`, file("")] as const);
    const view = new MemoryView(directory(rows));
    const all: { name: string; next: number }[] = [];
    const fresh = (): { reader: DirectoryReader; entry: NonNullable<ReturnType<NodeTable["get"]>> } => {
      const entry = new NodeTable(view.root).get(1);
      if (entry === undefined) throw new Error("no root");
      return { reader: new DirectoryReader(view, () => {}), entry };
    };
    const { reader, entry } = fresh();
    for await (const { name, next } of reader.rows(entry, 0)) all.push({ name: String(name), next });
    expect(all.map(({ name }) => name)).toEqual([".", "..", ...rows.map(([name]) => name)]);
    for (const at of [0, 1, 2, 3, 1023, 1024, 1025, 1026, length, length + 1]) {
      const from = all[at];
      if (from === undefined) continue;
      for (const { reader: again, entry: known } of [{ reader, entry }, fresh()]) {
        const first = await again.rows(known, from.next).next();
        expect(first.done === true ? undefined : String(first.value.name)).toBe(all[at + 1]?.name);
      }
    }
  });
}
