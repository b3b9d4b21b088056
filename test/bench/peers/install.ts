// Debian's packages of the peers, installed on demand.

import { spawnSync } from "node:child_process";
import { BenchFailure } from "../failure.ts";

const PACKAGES = ["restic", "borgbackup", "python3-pyfuse3", "fuse3", "rclone", "curl"];

/** Installs the peers and FUSE with apt-get. Throws BenchFailure with the command to run when that cannot work. */
export function installPeers(say: (line: string) => void): void {
  const byHand = `apt-get install --no-install-recommends ${PACKAGES.join(" ")}`;
  if (process.getuid?.() !== 0) {
    throw new BenchFailure(
      `peers are missing and only root can install them: run "${byHand}" or choose --peers`,
    );
  }
  say(`installing ${PACKAGES.join(", ")}`);
  const apt = (...args: string[]): boolean =>
    spawnSync("apt-get", args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status === 0;
  const install = ["install", "-y", "--no-install-recommends", ...PACKAGES];
  if (!apt(...install) && !(apt("update") && apt(...install))) throw new BenchFailure(`"${byHand}" failed`);
}
