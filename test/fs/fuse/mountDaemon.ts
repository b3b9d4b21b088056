// A process that mounts a tiny view at its first argument and stays, for tests that kill it; with "exit" as the
// second argument it exits by itself while mounted.

import { kernelDriver } from "../../../fs/fuse/kernelDriver.ts";
import { directory, file, MemoryView } from "../memoryView.ts";

const [mountpoint, mode] = process.argv.slice(2);
if (mountpoint === undefined) throw new Error("which mountpoint?");
const quiet = (): void => {};
const view = new MemoryView(directory([["f", file("from the daemon")]]));
await kernelDriver().mount(view, mountpoint, { logger: { info: quiet, warn: quiet, error: console.error } });
process.stdout.write("mounted\n");
if (mode === "exit") process.exit(0);
