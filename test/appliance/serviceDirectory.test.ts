// The directory of a service that another user than root runs: made for him, where he can reach it.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { directorySteps } from "../../appliance/service/installService.ts";

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write("\n*** SKIPPED: only root gives directories away ***\n\n");

const take = async (directory: string): Promise<void> => {
  for (const { does } of directorySteps(directory, "nobody")) await does();
};
/** Whether nobody can write there. */
const isUsable = (directory: string): boolean => {
  try {
    execFileSync("setpriv", ["--reuid=nobody", "--clear-groups", "touch", join(directory, "written")], {
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
};

test.skipIf(!isRoot)("it and the folders above are made so, whatever root's umask is", async () => {
  const top = mkdtempSync(join(tmpdir(), "holdfast-service-"));
  const umask = process.umask(0o077);
  onTestFinished(() => {
    process.umask(umask);
    rmSync(top, { recursive: true });
  });
  chmodSync(top, 0o755);
  const directory = join(top, "lib", "holdfast", "agent");
  await take(directory);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(join(top, "lib", "holdfast")).mode & 0o777).toBe(0o755);
  expect(isUsable(directory)).toBe(true);
  // One that root has made and used.
  const used = join(top, "used");
  mkdirSync(used, { mode: 0o700 });
  writeFileSync(join(used, "written"), "");
  await take(used);
  expect(isUsable(used)).toBe(true);
  // Somebody's folder is not opened.
  const closed = join(top, "closed");
  mkdirSync(closed, { mode: 0o700 });
  expect(() => directorySteps(join(closed, "agent"), "nobody")).toThrow(
    `the service's user nobody cannot reach ${join(closed, "agent")}: ${closed} does not`,
  );
  expect(() => directorySteps(join(closed, "agent"), "root")).not.toThrow();
});
