// Loaded into a gateway's process before the program (node --import): it kills itself in place of the first fdatasync, when a
// group's frames are written and in the page cache alone.

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const die = (): void => {
  process.kill(process.pid, "SIGKILL");
};
fs.fdatasync = Object.assign(die, fs.fdatasync);
syncBuiltinESMExports();
