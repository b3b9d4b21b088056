// A gateway whose account "alice" has one snapshot of a tree, unlocked, and an app password for it: what every client of WebDAV
// is pointed at.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { done, enroll, lastEvent, openSite, type Site } from "../program.ts";

export type DavSite = Site & {
  /** The tree that was backed up. */
  readonly source: string;
  readonly state: string;
  readonly user: string;
  readonly appPassword: string;
  /** The gateway's own certificate, to be pinned: a file in PEM. */
  readonly certificate: string;
  /** Path of the account's folder, "/dav/alice/". */
  readonly root: string;
  /** Path of the tree in the newest snapshot, with a slash at its end. */
  readonly tree: string;
};

/** Percent-encodes a path of any bytes; slashes stay. */
export function encodePath(path: string | Uint8Array): string {
  return Buffer.from(path as string)
    .toString("latin1")
    .replace(
      /[^A-Za-z0-9._~/-]/g,
      (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
    );
}

/** Makes an app password for alice with these further words; gives its text and id. */
export async function newAppPassword(
  site: Site,
  ...words: string[]
): Promise<{ password: string; id: string }> {
  const made = await done("account", "app-password", "alice", "--data", site.data, "--json", ...words);
  const { password, id } = lastEvent(made) as { password: string; id: string };
  return { password, id };
}

/** Opens it; `fill` makes the tree in an empty folder. */
export async function openDavSite(
  fill: (folder: string) => void | Promise<void>,
  finished: (undo: () => void | Promise<void>) => void = onTestFinished,
): Promise<DavSite> {
  const site = await openSite(finished);
  const source = join(site.folder, "source");
  mkdirSync(source);
  await fill(source);
  const state = await enroll(site, "laptop");
  await done("agent", "backup", source, "--state", state);
  await done("vault", "unlock", "alice", "--data", site.data, "--password-file", site.password);
  const { password: appPassword } = await newAppPassword(site);
  return {
    ...site,
    source,
    state,
    user: "alice",
    appPassword,
    certificate: join(site.data, "tls", "cert.pem"),
    root: "/dav/alice/",
    tree: `/dav/alice/laptop/files/latest${encodePath(source)}/`,
  };
}

/** A file that only its owner may read. */
export function secretFile(path: string, text: string): string {
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}
