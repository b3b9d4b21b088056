// Loaded into a gateway's process before the program (node --import): it kills itself when a file has got a name that the regular expression
// in HOLDFAST_TEST_DIE_AFTER fits, which is then in memory alone.

import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const wanted = process.env.HOLDFAST_TEST_DIE_AFTER;
if (wanted === undefined) throw new Error("HOLDFAST_TEST_DIE_AFTER is not set");
const name = new RegExp(wanted);
const { rename } = fs;
Object.assign(fs, {
  rename: async (from: string, to: string): Promise<void> => {
    await rename(from, to);
    if (name.test(to)) process.kill(process.pid, "SIGKILL");
  },
});
syncBuiltinESMExports();
