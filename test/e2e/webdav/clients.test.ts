// The programs that people open WebDAV with, each shown the same snapshot: what they list and read is what was backed up, and
// nothing can be changed.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canRun } from "../../faults/requirements.ts";
import { done, mountsBelow } from "../program.ts";
import { clientDone, runClient } from "./clientProgram.ts";
import { fillClientTree } from "./clientTree.ts";
import { withDavfs2 } from "./davfs2.ts";
import { type DavSite, openDavSite, secretFile } from "./davSite.ts";
import { withGio } from "./gio.ts";
import { runLitmus } from "./litmus.ts";
import { treeFolders, treeSums } from "./treeSums.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 17);
const undo: (() => void | Promise<void>)[] = [];
let site: DavSite;
/** MD5 of what was backed up, by path. */
let sums: Map<string, string>;

beforeAll(async () => {
  console.log(`clients of WebDAV: HOLDFAST_SEED=${seed}`);
  site = await openDavSite(
    (folder) => fillClientTree(folder, seed),
    (step) => undo.push(step),
  );
  sums = await treeSums(site.source);
  // Links that lead to no file of the snapshot are small files that hold their target.
  for (const name of ["links/dangling", "links/toFolder", "links/up", "links/outside"]) {
    const target = fs.readlinkSync(join(site.source, name));
    sums.set(name, createHash("md5").update(target).digest("hex"));
  }
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

describe.skipIf(!canRun("litmus", "litmus"))("litmus", () => {
  // Each suite in full: what is not "pass" is refused with 403 because it changes something, or skipped by litmus because such a
  // refusal came before. "WARNING" stands for: refused, but litmus would rather see another status; no class 2.
  const begun = { init: "pass", begin: "pass" };
  const refused = (result: string, ...names: string[]) =>
    Object.fromEntries(names.map((name) => [name, result]));

  it("basic: nothing is put, deleted or made", async () => {
    expect(await runLitmus(site, "basic")).toEqual({
      ...begun,
      options: "WARNING",
      ...refused("FAIL", "put_get", "put_get_utf8_segment", "mkcol", "mkcol_with_body", "delete_fragment"),
      ...refused("WARNING", "put_no_parent", "delete_null", "mkcol_no_parent"),
      ...refused("SKIPPED", "mkcol_over_plain", "delete", "mkcol_again", "delete_coll"),
      finish: "pass",
    });
  });

  it("props: every PROPFIND passes, no PROPPATCH does", async () => {
    expect(await runLitmus(site, "props")).toEqual({
      ...begun,
      ...refused("pass", "propfind_invalid", "propfind_invalid2", "propfind_d0"),
      ...refused("pass", "propwformed", "propextended", "propcleanup"),
      ...refused("FAIL", "propinit", "propmanyns"),
      ...refused("SKIPPED", "propset", "propget", "propmove", "propdeletes", "propreplace", "propnullns"),
      ...refused("SKIPPED", "prophighunicode", "propremoveset", "propsetremove", "propvalnspace"),
      finish: "pass",
    });
  });

  it("copymove: nothing is copied or moved", async () => {
    expect(await runLitmus(site, "copymove")).toEqual({
      ...begun,
      ...refused("FAIL", "copy_init", "copy_coll", "copy_shallow", "move", "move_coll"),
      ...refused("SKIPPED", "copy_simple", "copy_overwrite", "copy_nodestcoll"),
      ...refused("pass", "copy_cleanup", "move_cleanup"),
      finish: "pass",
    });
  });

  it("locks: there are none", async () => {
    expect(await runLitmus(site, "locks")).toEqual({
      ...begun,
      options: "WARNING",
      precond: "SKIPPED",
    });
  });

  it("http", async () => {
    expect(await runLitmus(site, "http")).toEqual({ ...begun, expect100: "pass", finish: "pass" });
  });
});

describe.skipIf(!canRun("cadaver", "cadaver", "script"))("cadaver", () => {
  it("lists, goes into folders and gets files; its writes are refused", async () => {
    const home = fs.mkdtempSync(join(site.folder, "cadaver-"));
    secretFile(join(home, ".netrc"), `machine 127.0.0.1 login ${site.user} password ${site.appPassword}\n`);
    const reads = ["ls", "cd content", "ls", "get f4194305", "get f0", "cd ../names", "get '日本語' kanji"];
    const writes = ["put .netrc secret", "mkcol new", "delete UPPER", "move upper lower", "lock upper"];
    const commands = ["y", ...reads, ...writes, "quit"];
    // It asks about the certificate on a terminal alone.
    const words = [
      "--quiet",
      "--return",
      "--command",
      `stty -echo; cadaver '${site.url}${site.tree}'`,
      "/dev/null",
    ];
    const printed = await clientDone("script", words, {
      env: { HOME: home, TERM: "dumb" },
      folder: home,
      input: `${commands.join("\n")}\n`,
    });
    const lines = printed.toString().replaceAll("\r", "\n");
    for (const name of fs.readdirSync(site.source)) expect(lines).toMatch(new RegExp(`Coll: +${name} +0 `));
    expect(lines).toMatch(/f9000001 +9000001 /);
    expect(lines.match(/failed:\s+403 Forbidden/g)).toHaveLength(writes.length);
    for (const [got, file] of Object.entries({
      f4194305: "content/f4194305",
      f0: "content/f0",
      kanji: "names/日本語",
    })) {
      expect(fs.readFileSync(join(home, got)).equals(fs.readFileSync(join(site.source, file))), got).toBe(
        true,
      );
    }
  });
});

describe.skipIf(!canRun("davfs2", "mount.davfs", "mount"))("davfs2", () => {
  it("mounts, and every file is what was backed up", async () => {
    const seen = await withDavfs2(site, site.tree, ["ro"], async (mountpoint) => ({
      sums: await treeSums(mountpoint, 200),
      folders: await treeFolders(mountpoint),
    }));
    // It makes names of its own from a file's, which may then be too long for its cache.
    const short = [...sums].filter(([name]) => name.split("/").every((part) => part.length < 200));
    expect(short.length).toBe(sums.size - 2);
    expect(seen.sums).toEqual(new Map(short));
    // "lost+found" is its own.
    expect(seen.folders).toEqual([...(await treeFolders(site.source)), "lost+found/"].sort());
    expect(mountsBelow(site.folder)).toEqual([]);
  });

  it("stays mounted while the vault is locked, and reads on when it is unlocked", async () => {
    const vault = ["alice", "--data", site.data];
    await withDavfs2(site, "/dav/alice/", ["ro"], async (mountpoint) => {
      const content = join(mountpoint, "laptop/files/latest", site.source, "content");
      const read = (name: string) => runClient("cat", [join(content, name)]);
      expect((await read("f4096")).status).toBe(0);
      await done("vault", "lock", ...vault);
      try {
        const locked = await read("f65536");
        expect([locked.status, locked.stdout.length]).toEqual([1, 0]);
      } finally {
        await done("vault", "unlock", ...vault, "--password-file", site.password);
      }
      expect((await read("f65537")).stdout.equals(fs.readFileSync(join(site.source, "content/f65537")))).toBe(
        true,
      );
    });
    expect(mountsBelow(site.folder)).toEqual([]);
  });

  it("mounted for writing too, it changes nothing", async () => {
    await withDavfs2(site, site.tree, ["rw"], async (mountpoint) => {
      for (const command of ["rm names/UPPER", "rmdir content/empty*", "mkdir new", "mv names/upper lower"]) {
        const ran = await runClient("sh", ["-c", command], { folder: mountpoint });
        expect(ran.status, command).not.toBe(0);
      }
    });
    expect(mountsBelow(site.folder)).toEqual([]);
  });
});

describe.skipIf(!canRun("rclone", "rclone", "fusermount3"))("rclone", () => {
  let environment: NodeJS.ProcessEnv;
  const rclone = (...words: string[]) => clientDone("rclone", words, { env: environment });

  beforeAll(async () => {
    const obscured = await clientDone("rclone", ["obscure", "-"], { input: site.appPassword });
    environment = {
      HOME: site.folder,
      RCLONE_CONFIG: secretFile(join(site.folder, "rclone.conf"), ""),
      RCLONE_CA_CERT: site.certificate,
      RCLONE_CONFIG_DAV_TYPE: "webdav",
      RCLONE_CONFIG_DAV_URL: `${site.url}${site.tree}`,
      RCLONE_CONFIG_DAV_VENDOR: "other",
      RCLONE_CONFIG_DAV_USER: site.user,
      RCLONE_CONFIG_DAV_PASS: obscured.toString().trim(),
    };
  });

  it("lists every file and folder", async () => {
    const listed = (await rclone("lsf", "-R", "--exclude", "/hard/**", "dav:")).toString("latin1").trim();
    const files = [...sums.keys()].filter((name) => !name.startsWith("hard/"));
    const folders = (await treeFolders(site.source)).filter((name) => name !== "hard/");
    expect(listed.split("\n").sort()).toEqual([...files, ...folders].sort());
  });

  it("check --download finds every byte equal", async () => {
    // Names with control characters it writes in another way on each side: these are read through its mount, below.
    const filters = ["--exclude", "/hard/**", "--exclude", "/links/**"];
    const printed = await rclone("check", "--download", ...filters, "--combined", "-", site.source, "dav:");
    const lines = printed.toString("latin1").trim().split("\n");
    const files = [...sums.keys()].filter((name) => !/^(?:hard|links)\//.test(name));
    expect(lines.sort()).toEqual(files.map((name) => `= ${name}`).sort());
  });

  it("mounts, with every name and byte, and reads at any place", async () => {
    const mountpoint = fs.mkdtempSync(join(site.folder, "rclone-"));
    await rclone("mount", "dav:", mountpoint, "--daemon", "--read-only", "--vfs-cache-mode", "off");
    try {
      expect(await treeSums(mountpoint)).toEqual(sums);
      const whole = fs.readFileSync(join(site.source, "content/f9000001"));
      for (const [offset, length] of [
        [0, 1],
        [8_999_999, 2],
        [4_194_303, 70_001],
        [1_000_003, 3_000_000],
      ] as const) {
        const words = [`if=${mountpoint}/content/f9000001`, `skip=${offset}`, `count=${length}`, "bs=1M"];
        const read = await clientDone("dd", [
          ...words,
          "iflag=skip_bytes,count_bytes,fullblock",
          "status=none",
        ]);
        expect(read.equals(whole.subarray(offset, offset + length)), `${length} at ${offset}`).toBe(true);
      }
    } finally {
      await clientDone("fusermount3", ["-u", mountpoint]);
    }
    expect(mountsBelow(site.folder)).toEqual([]);
  });
});

describe.skipIf(!canRun("gvfs", "gio", "dbus-run-session", "/usr/libexec/gvfsd-dav"))("gvfs", () => {
  it("mounts, lists and reads", async () => {
    const { mounted, printed } = await withGio(
      site,
      `set -e
      gio list "$ROOT"
      gio list --hidden "$ROOT/laptop/files/latest${site.source}/names" | LC_ALL=C sort
      gio cat "$ROOT/laptop/files/latest${site.source}/content/f9000001" | md5sum
      gio save "$ROOT/laptop/files/latest${site.source}/new" </dev/null 2>&1 || echo refused
      set +e`,
    );
    expect([mounted, printed.split("\n")]).toEqual([
      true,
      [
        "laptop",
        ...fs
          .readdirSync(join(site.source, "names"), { encoding: "buffer" })
          .sort(Buffer.compare)
          .map(String),
        `${sums.get("content/f9000001")}  -`,
        expect.stringMatching(/gio: /),
        "refused",
        "",
      ],
    ]);
  });
});
