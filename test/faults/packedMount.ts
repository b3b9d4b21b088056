// A process that mounts a file system whose files take less room than they have bytes, as those that compress show it
// (ZFS; btrfs does not), and stays. Its files: text named a, b, d and e, and c with a hole before and behind its data.

import { kernelDriver } from "../../fs/fuse/kernelDriver.ts";
import { directory, file, MemoryView, sparseFile } from "../fs/memoryView.ts";

const [mountpoint] = process.argv.slice(2);
if (mountpoint === undefined) throw new Error("which mountpoint?");
const quiet = (): void => {};
const packed = (name: string) => file(name.repeat(60_000), { allocatedBytes: 512n });
const view = new MemoryView(
  directory([
    ["a", packed("a")],
    ["b", packed("b")],
    ["c", sparseFile(200_000n, [{ offset: 131_072n, length: 8192n }])],
    ["d", packed("d")],
    ["e", packed("e")],
    ["tiny", file("tiny", { allocatedBytes: 0n })],
  ]),
);
await kernelDriver().mount(view, mountpoint, { logger: { info: quiet, warn: quiet, error: console.error } });
process.stdout.write("mounted\n");
