// davfs2, the drive of Linux: mounted with the gateway's certificate pinned, and always unmounted again.

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { mountsBelow } from "../program.ts";
import { clientDone } from "./clientProgram.ts";
import { type DavSite, secretFile } from "./davSite.ts";

/**
 * Mounts a path of the gateway and runs `look` with the mountpoint; unmounts whatever happens, and waits for its daemon. `options`:
 * further mount options.
 */
export async function withDavfs2<Result>(
  site: DavSite,
  path: string,
  options: readonly string[],
  look: (mountpoint: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(site.folder, "davfs2-"));
  const [cache, mountpoint] = [join(folder, "cache"), join(folder, "drive")];
  mkdirSync(mountpoint);
  mkdirSync(cache);
  // It goes on as a user of its own, to whom the way must be open.
  for (const open of [site.folder, folder]) chmodSync(open, 0o755);
  chmodSync(cache, 0o777);
  const certificate = join(folder, "gateway.pem");
  copyFileSync(site.certificate, certificate);
  chmodSync(certificate, 0o644);
  const url = `${site.url}${path}`;
  const secrets = secretFile(join(folder, "secrets"), `"${url}" ${site.user} "${site.appPassword}"\n`);
  const settings = [
    `secrets ${secrets}`,
    `cache_dir ${cache}`,
    `trust_server_cert ${certificate}`,
    "ask_auth 0",
    "use_locks 0",
    // Kernels from 6.16 on want replies of directories larger than its default has room for.
    "buf_size 64",
  ];
  const conf = secretFile(join(folder, "davfs2.conf"), `${settings.join("\n")}\n`);
  await clientDone("mount", ["-t", "davfs", "-o", [`conf=${conf}`, ...options].join(), url, mountpoint]);
  try {
    return await look(mountpoint);
  } finally {
    // Waits until its daemon has gone.
    if (mountsBelow(folder).length > 0) await clientDone("umount", [mountpoint]);
  }
}
