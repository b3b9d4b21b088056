// gvfs, by which GNOME's file manager and its programs open WebDAV: its `gio` in a session of its own.

import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { runClient } from "./clientProgram.ts";
import type { DavSite } from "./davSite.ts";

export type GioSession = { readonly mounted: boolean; readonly printed: string };

/**
 * Mounts the site's account in a fresh session, runs a shell script, in which $ROOT is the account's address for gio, and unmounts.
 * The certificate is accepted when gio asks, as people do.
 */
export async function withGio(site: DavSite, script: string): Promise<GioSession> {
  const home = mkdtempSync(join(site.folder, "gio-"));
  const server = site.url.replace(/^https:/, "davs:");
  const whole = `
    printf '1\\n%s\\n%s\\n' "$USER_NAME" "$USER_PASSWORD" | gio mount "$ROOT" >/dev/null && echo mounted
    ${script}
    gio mount --unmount "$ROOT"`;
  const ran = await runClient("dbus-run-session", ["--", "sh", "-c", whole], {
    env: {
      HOME: home,
      XDG_RUNTIME_DIR: home,
      GVFS_REMOTE_VOLUME_MONITOR_IGNORE: "1",
      ROOT: `${server}${site.root}`,
      USER_NAME: site.user,
      USER_PASSWORD: site.appPassword,
    },
  });
  const [first, ...lines] = ran.stdout.toString().split("\n");
  return {
    mounted: first === "mounted",
    printed: lines.join("\n") + (first === "mounted" ? "" : ran.stderr),
  };
}
