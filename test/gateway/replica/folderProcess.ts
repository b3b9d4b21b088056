// Puts an object of 8 MiB into the replica in the folder of the first argument, and tells its parent of every MiB that was written and of the end.

import { pathToFileURL } from "node:url";
import { sourceOf } from "../../../gateway/replica/chain/namedObjects.ts";
import { FolderStore } from "../../../gateway/replica/folder/folderStore.ts";
import { packKey } from "../../../gateway/replica/keys.ts";
import { seededBytes } from "../../vault/seeded.ts";

const [folder = "", stopAt = "0"] = process.argv.slice(2);
const store = await FolderStore.open(folder, pathToFileURL(folder).href, true);
const source = sourceOf(seededBytes("large object", 8 << 20));
let pieces = 0;
const throttle = async (): Promise<void> => {
  pieces++;
  if (pieces === Number(stopAt)) process.kill(process.pid, "SIGKILL");
};
await store.putIfAbsent(packKey("5e".repeat(16), source.sha256), source, { throttle });
