import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { markFolder } from "../../../gateway/replica/folder/marker.ts";
import { openReplicaStore } from "../../../gateway/replica/openStore.ts";
import { testReplicaStore } from "../../conformance/replicaStore.ts";

for (const conditionalPuts of [true, false]) {
  testReplicaStore({
    name: conditionalPuts ? "a folder" : "a folder of a file system without hard links",
    conditionalPuts,
    resumes: false,
    boundaries: [1 << 20],
    async open() {
      const folder = join(await mkdtemp(join(tmpdir(), "holdfast-folder-")), "with space");
      await markFolder(folder);
      const url = pathToFileURL(folder).href;
      const reopen = () =>
        openReplicaStore(
          { url, options: {}, conditionalPuts },
          { now: () => new Date("2026-11-25T00:00:00Z") },
        );
      return { store: await reopen(), reopen, remove: () => rm(join(folder, ".."), { recursive: true }) };
    },
  });
}
