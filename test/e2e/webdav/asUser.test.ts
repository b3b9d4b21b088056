// An app password with --as-user reads exactly what the kernel would have let that user read on the machine that was backed up:
// owners, groups, modes and ACLs, of files and of every folder on the way.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canRun } from "../../faults/requirements.ts";
import { type Random, randomFrom } from "../../fidelity/random.ts";
import { run } from "../../fidelity/tool.ts";
import { clientDone } from "./clientProgram.ts";
import { curlOf } from "./curl.ts";
import { type DavSite, encodePath, newAppPassword, openDavSite } from "./davSite.ts";
import { basic, rawRequest } from "./rawRequest.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 31);
const undo: (() => void | Promise<void>)[] = [];
/** Users and groups that own things; nobody on this machine needs to be called so. */
const ids = [0, 41_001, 41_002, 41_003] as const;
const users = [
  { uid: 41_001, gids: [41_001] },
  { uid: 41_001, gids: [41_002, 41_003] },
  { uid: 41_002, gids: [41_001, 41_003] },
  { uid: 41_009, gids: [41_009] },
] as const;

function pick<Value>(random: Random, values: readonly Value[]): Value {
  return values[random.below(values.length)] as Value;
}

/** A tree of folders and files whose owners, modes and ACLs are anything. */
function fillWithRights(folder: string, random: Random, depth: number): void {
  for (let at = 0; at < 5; at++) {
    const path = join(folder, `${at}`);
    const isFolder = depth > 0 && at < 2;
    if (isFolder) fs.mkdirSync(path);
    else fs.writeFileSync(path, `content of ${path}`);
    fs.chownSync(path, pick(random, ids), pick(random, ids));
    // Folders are open somewhat more often, so that what is deep counts too.
    const mode = random.below(0o1000) | (isFolder && random.below(3) > 0 ? 0o055 : 0);
    fs.chmodSync(path, mode);
    if (random.below(3) === 0) {
      const entry = () =>
        `${pick(random, ["u", "g"])}:${pick(random, ids)}:${pick(random, ["r", "rx", "x", "-", "rwx"])}`;
      run(
        "setfacl",
        ["-n", "-m", [entry(), entry(), `m::${pick(random, ["r", "rx", "-", "rwx"])}`].join(), path],
        "/",
      );
    }
    if (isFolder) fillWithRights(path, random, depth - 1);
  }
}

/** Paths of everything below a folder; folders end in a slash. */
function pathsBelow(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name) + (entry.isDirectory() ? "/" : ""))
    .sort();
}

/** Which of these paths the kernel lets a user read (of folders: list and enter), in one process that is this user. */
function readableBy(user: (typeof users)[number], paths: readonly string[]): boolean[] {
  const script =
    'while IFS= read -r path; do case $path in */) test -r "$path" && test -x "$path" ;; *) test -r "$path" ;; esac && echo y || echo n; done';
  const [primary, ...more] = user.gids;
  const groups = more.length === 0 ? ["--clear-groups"] : [`--groups=${more.join()}`];
  const ran = spawnSync(
    "setpriv",
    [`--reuid=${user.uid}`, `--regid=${primary}`, ...groups, "--", "sh", "-c", script],
    { input: `${paths.join("\n")}\n`, encoding: "utf8" },
  );
  return ran.stdout
    .trim()
    .split("\n")
    .map((line) => line === "y");
}

describe.skipIf(!canRun("--as-user", "setfacl", "setpriv", "curl", "tar", "unzip"))(
  `--as-user (seed ${seed})`,
  () => {
    let site: DavSite;
    let paths: string[];
    const passwords = new Map<(typeof users)[number], string>();

    beforeAll(async () => {
      site = await openDavSite(
        (folder) => {
          // The way to the tree is open, here and in the snapshot.
          fs.chmodSync(dirname(folder), 0o755);
          fillWithRights(folder, randomFrom(seed), 3);
        },
        (step) => undo.push(step),
      );
      paths = pathsBelow(site.source);
      for (const user of users) {
        const made = await newAppPassword(site, "--as-user", `${user.uid}:${user.gids.join()}`);
        passwords.set(user, made.password);
      }
    });
    afterAll(async () => {
      for (const step of undo.reverse()) await step();
    });

    it.each(users)("as $uid in $gids", async (user) => {
      const password = passwords.get(user) as string;
      const login = basic("alice", password);
      const allowed = readableBy(user, paths);
      expect(allowed.length).toBe(paths.length);
      const share = allowed.filter(Boolean).length / paths.length;
      expect([share > 0.05, share < 0.95]).toEqual([true, true]);
      const wrong: string[] = [];
      for (const [at, path] of paths.entries()) {
        const target = `/dav/alice/laptop/files/latest${encodePath(path)}`;
        const isFolder = path.endsWith("/");
        const { status, text } = await rawRequest(site, `${isFolder ? "PROPFIND" : "GET"} ${target}`, [
          login,
          "Depth: 1",
        ]);
        const expected = allowed[at] ? (isFolder ? 207 : 200) : 403;
        if (status !== expected) wrong.push(`${path}: ${status} for ${expected}`);
        if (!isFolder && text.includes("content of") !== allowed[at]) wrong.push(`${path}: content`);
      }
      expect(wrong).toEqual([]);
    });

    it.each(users.slice(1, 3))(
      "as $uid in $gids: no more by the history of paths than by the paths",
      async (user) => {
        const password = passwords.get(user) as string;
        const login = basic("alice", password);
        const item = await rawRequest(site, "PROPFIND /dav/alice/laptop/files/", [login, "Depth: 1"]);
        const time = /files\/(\d{4}-\d\d-\d\dT\d{6}Z)\//.exec(item.text)?.[1] as string;
        const allowed = readableBy(user, paths);
        const more: string[] = [];
        let shown = 0;
        for (const [at, path] of paths.entries()) {
          const versions = `/dav/alice/laptop/files/.history${encodePath(path.replace(/\/$/, ""))}`;
          for (const target of [`${versions}/${time}`, `${versions}/`]) {
            for (const method of ["GET", "PROPFIND"]) {
              const { status, text } = await rawRequest(site, `${method} ${target}`, [login, "Depth: 1"]);
              if (allowed[at] && status < 300) shown++;
              if (!allowed[at] && (text.includes("content of") || (path.endsWith("/") && status < 300))) {
                more.push(`${method} ${target}: ${status}`);
              }
            }
          }
        }
        expect(more).toEqual([]);
        expect(shown).toBeGreaterThan(0);
      },
    );

    it.each(users.slice(0, 2))("as $uid in $gids: archives hold that and no more", async (user) => {
      const password = passwords.get(user) as string;
      const readable = readableBy(user, paths);
      const allowed = new Map(paths.map((path, at) => [path, readable[at]]));
      /** Whether the way to it can be listed, folder by folder, and it can be read. */
      const isReached = (path: string): boolean => {
        for (let at = path.indexOf("/", site.source.length + 1); at >= 0; at = path.indexOf("/", at + 1))
          if (allowed.get(path.slice(0, at + 1)) !== true) return false;
        return allowed.get(path) === true;
      };
      const expected = paths.filter(isReached).map((path) => path.slice(site.source.lastIndexOf("/") + 1));
      for (const [format, list] of [
        ["tar", 'tar -tf "$1"'],
        ["zip", 'unzip -Z1 "$1"'],
      ] as const) {
        const { status, body } = await curlOf(site, password)(`${site.tree}?archive=${format}`);
        expect(status).toBe(200);
        const file = join(site.folder, `archive.${format}`);
        fs.writeFileSync(file, body);
        const names = (await clientDone("sh", ["-c", list, "sh", file])).toString().trim().split("\n");
        expect(names.filter((name) => name !== "source/").sort(), format).toEqual(expected.sort());
        const content = await clientDone("sh", [
          "-c",
          format === "tar" ? 'tar -xOf "$1"' : 'unzip -p "$1"',
          "sh",
          file,
        ]);
        const files = expected.filter((name) => !name.endsWith("/"));
        expect(content.toString().match(/content of /g)?.length ?? 0, format).toBe(files.length);
      }
    });

    it("shows without --as-user what root sees", async () => {
      const login = basic("alice", site.appPassword);
      for (const path of paths.filter((each) => !each.endsWith("/")).slice(0, 40)) {
        const { status } = await rawRequest(site, `GET /dav/alice/laptop/files/latest${encodePath(path)}`, [
          login,
        ]);
        expect(status, path).toBe(200);
      }
    });
  },
);
