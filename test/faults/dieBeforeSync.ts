// Loaded into a gateway's process before the program (node --import): it kills itself in place of the first fdatasync of an open pack, when a
// group's frames are written and in the page cache alone. Other files (the audit log, say) are synced.

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const sync = fs.fdatasync;
const die = (fd: number, done: fs.NoParamCallback): void => {
  if (fs.readlinkSync(`/proc/self/fd/${fd}`).includes("/open/")) process.kill(process.pid, "SIGKILL");
  else sync(fd, done);
};
fs.fdatasync = Object.assign(die, fs.fdatasync);
syncBuiltinESMExports();
