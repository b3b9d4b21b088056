// Loaded into a gateway's process before the program (node --import): fsync and fdatasync say "done" and do nothing. A planted
// bug: the power-loss test must find it, or it would find nothing.

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const done = (_fd: number, callback: fs.NoParamCallback): void => {
  setImmediate(callback, null);
};
fs.fsync = Object.assign(done, fs.fsync);
fs.fdatasync = Object.assign(done, fs.fdatasync);
fs.fsyncSync = () => {};
fs.fdatasyncSync = () => {};
const probe = await fs.promises.open("/dev/null", "r");
const handle = Object.getPrototypeOf(probe) as fs.promises.FileHandle;
await probe.close();
handle.sync = async () => {};
handle.datasync = async () => {};
syncBuiltinESMExports();
