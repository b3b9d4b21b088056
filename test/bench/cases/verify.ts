// A fast program that restores wrong bytes must not win.

import { spawnSync } from "node:child_process";
import { BenchFailure } from "../failure.ts";

/** Compares two trees byte for byte with diff(1), symlinks as symlinks. Throws BenchFailure with the first differences. */
export function verifySame(source: string, copy: string, who: string): void {
  const result = spawnSync("diff", ["--recursive", "--brief", "--no-dereference", source, copy], {
    encoding: "utf8",
  });
  if (result.status === 0) return;
  const differences = (result.stdout || result.stderr).trim().split("\n").slice(0, 5).join("\n");
  throw new BenchFailure(`${who} restored something else than it backed up:\n${differences}`);
}
