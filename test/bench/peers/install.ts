// Debian's packages of the peers, installed on demand.

import { spawnSync } from "node:child_process";
import { BenchFailure } from "../failure.ts";
import type { Mode } from "../options.ts";

const PACKAGES = ["restic", "borgbackup", "python3-pyfuse3", "fuse3", "rclone", "curl"];
/** A whole S3 server. */
const S3_PACKAGES = ["restic", "fuse3", "rclone", "curl", "radosgw", "ceph-mon", "ceph-osd", "ceph-common"];

/** Installs the peers and FUSE with apt-get. Throws BenchFailure with the command to run when that cannot work. */
export function installPeers(say: (line: string) => void, mode: Mode): void {
  const packages = mode === "offsite" ? S3_PACKAGES : PACKAGES;
  const byHand = `apt-get install --no-install-recommends ${packages.join(" ")}`;
  if (process.getuid?.() !== 0) {
    throw new BenchFailure(
      `peers are missing and only root can install them: run "${byHand}" or choose --peers`,
    );
  }
  say(`installing ${packages.join(", ")}`);
  const apt = (...args: string[]): boolean =>
    spawnSync("apt-get", args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status === 0;
  const install = ["install", "-y", "--no-install-recommends", ...packages];
  if (!apt(...install) && !(apt("update") && apt(...install))) throw new BenchFailure(`"${byHand}" failed`);
}
