// Programs backed up and restored into, as processes: real databases, tar, and programs that fail, hang, or lose their agent.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gone } from "../agent/program/programFixture.ts";
import { type Database, hasMariaDb, postgresPrograms, startMariaDb, startPostgres } from "./databases.ts";
import { eventsOf } from "./jsonLines.ts";
import {
  done,
  enroll,
  holdfast,
  lastEvent,
  makeSource,
  openSite,
  Program,
  type Ran,
  type Site,
  scratchFolder,
} from "./program.ts";

let site: Site;
let state: string;
const undo: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  site = await openSite((step) => undo.push(step));
  state = await enroll(site, "server");
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

function backup(item: string, command: string, ...more: string[]): Promise<Ran> {
  const words = ["--item", item, "--program", command, "--as", "out", "--state", state];
  return holdfast("agent", "backup", ...words, ...more);
}

function restore(item: string, command: string, ...more: string[]): Promise<Ran> {
  const words = ["--item", item, "--into-program", command, "--state", state];
  return holdfast("agent", "restore", "latest:/out", ...words, ...more);
}

describe.each<[string, boolean, (folder: string) => Promise<Database>]>([
  ["PostgreSQL", postgresPrograms !== undefined, startPostgres],
  ["MariaDB", hasMariaDb, startMariaDb],
])("%s", (name, isThere, start) => {
  test.skipIf(!isThere)("a dump comes back, and the next one sends what changed", async () => {
    const database = await start(scratchFolder((step) => undo.push(step)));
    undo.push(database.stop);
    const sql = (where: string, statement: string): string =>
      execFileSync("sh", ["-c", database.client(where)], {
        input: statement,
        encoding: "utf8",
        maxBuffer: 2 ** 26,
      });
    const admin = name === "MariaDB" ? "mysql" : "postgres";
    for (const each of ["shop", "copy"]) sql(admin, `CREATE DATABASE ${each};`);
    const text = (id: number): string => createHash("sha512").update(`${id}`).digest("hex");
    const rows = Array.from({ length: 50_000 }, (_, id) => `(${id}, '${text(id)} é')`);
    sql("shop", "CREATE TABLE goods (id int PRIMARY KEY, name varchar(200));");
    sql("shop", `INSERT INTO goods VALUES ${rows.join(",")};`);
    const first = await backup(name, database.dump("shop"), "--json");
    expect(first).toMatchObject({ status: 0, stderr: "" });
    sql("shop", "UPDATE goods SET name = 'sold out' WHERE id = 49999;");
    const second = lastEvent((await backup(name, database.dump("shop"), "--json")).stdout);
    expect(second.bytes).toBeGreaterThan(4_000_000);
    // Its first lines and the changed row: the chunks between them are there.
    expect(second.sent_bytes).toBeLessThan(Number(lastEvent(first.stdout).sent_bytes));
    const restored = await restore(name, database.client("copy"));
    expect(restored).toMatchObject({ status: 0 });
    const all = "SELECT id, name FROM goods ORDER BY id;";
    expect(sql("copy", all)).toBe(sql("shop", all));
    expect(await restore(name, database.client("nowhere"))).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/nowhere[\s\S]*the command ended with status/),
    });
  });
});

test("a stream of tar, there and back", async () => {
  const source = makeSource(site.folder);
  const target = join(site.folder, "target");
  expect(await backup("tar", `tar -C '${source}' -c .`)).toMatchObject({ status: 0 });
  expect(await restore("tar", `mkdir '${target}' && tar -x -C '${target}'`)).toMatchObject({ status: 0 });
  execFileSync("diff", ["-r", "--no-dereference", source, target]);
});

test("what is said and how it ends: exit statuses, events, lists", async () => {
  const warned = await backup("say", "echo dump; echo careful >&2", "--json");
  expect(warned.status).toBe(3);
  expect(eventsOf(warned.stdout)).toMatchObject([
    { event: "warning", path: "/out", message: "the command says: careful" },
    { event: "done", files: 1, bytes: 5, warnings: 1, incomplete: false, program: { exit: 0, signal: null } },
  ]);
  const failed = await backup("say", "echo half; exit 9", "--json");
  expect(failed.status).toBe(1);
  expect(lastEvent(failed.stdout)).toMatchObject({ event: "error", code: "program-failed" });
  const kept = await backup("say", "echo half; exit 9", "--keep-failed", "--json");
  expect(kept.status).toBe(1);
  expect(eventsOf(kept.stdout)).toMatchObject([
    { event: "kept", incomplete: true, program: { exit: 9, signal: null } },
    { event: "error", code: "program-failed", message: expect.stringContaining("is kept") },
  ]);
  const list = await done("agent", "snapshots", "--item", "say", "--state", state);
  expect(list).toMatch(/\/out \(failed: the command ended with status 9\)$/m);
  expect(list.split("\n").filter((line) => line.includes("/out"))).toHaveLength(2);
  const [, snapshot = ""] = /^(\w{16}) .*failed/m.exec(list) ?? [];
  const cat = await holdfast("agent", "cat", `${snapshot}:/out`, "--state", state);
  expect(cat.stdout).toBe("half\n");
  expect(cat.stderr).toContain(`snapshot ${snapshot} is of a command that ended with status 9`);
  expect(await done("agent", "cat", "latest:/out", "--item", "say", "--state", state)).toBe("dump\n");
  const shown = await restore("say", "cat; echo thanks >&2", "--json");
  expect(shown.status).toBe(3);
  expect(shown.stderr).toBe("dump\n");
  expect(lastEvent(shown.stdout)).toMatchObject({ event: "done", path: "/out", bytes: 5, warnings: 1 });
  expect((await restore("say", "cat", "--quiet")).stdout).toBe("dump\n");
});

test("a dry run tells and runs nothing", async () => {
  const mark = join(site.folder, "mark");
  const dry = await backup("say", `touch '${mark}'`, "--dry-run", "--json");
  expect(lastEvent(dry.stdout)).toMatchObject({ dry_run: true, path: "/out", last_bytes: null });
  expect(lastEvent((await restore("say", `touch '${mark}'`, "--dry-run", "--json")).stdout)).toMatchObject({
    ...{ dry_run: true, bytes: 5 },
  });
  expect(existsSync(mark)).toBe(false);
});

test("a definition names a program of the machine, and brings none", async () => {
  const item = (...words: string[]) => [...words, "--jitter", "0s", "--data", site.data];
  const at = ["--schedule", "daily at 10:01"];
  const add = (name: string, ...words: string[]) =>
    holdfast("item", "add", `alice/server/${name}`, ...item(...words));
  expect(await add("db", "--named-program", "echo dump", ...at)).toMatchObject({ status: 2 });
  expect(await add("db", "/etc", "--named-program", "shop", ...at)).toMatchObject({ status: 2 });
  const added = await add("db", "--named-program", "shop", ...at);
  expect(added.stdout).toContain("the output of program shop");
  await add("gone", "--named-program", "gone", ...at);
  const named = ["agent", "backup", "--item", "db", "--state", state, "--named-program", "shop"];
  expect(await holdfast(...named)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("[programs.shop]"),
  });
  const config = join(state, "config.toml");
  writeFileSync(config, '[programs.shop]\nprogram = "echo dump"\nas = "shop.sql"\n', { mode: 0o622 });
  chmodSync(config, 0o622);
  expect(await holdfast(...named)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("chmod go-w"),
  });
  chmodSync(config, 0o600);
  const run = new Program(["agent", "run", "--state", state, "--clock", "2026-11-26T10:00:58Z", "--json"]);
  undo.push(async () => void (await run.stop("SIGKILL")));
  await run.printed(/"event":"backup-done".*"item":"db"/);
  await run.printed(/"event":"backup-failed".*"item":"gone".*"code":"not-found"/);
  await run.stop();
  expect(await done("agent", "cat", "latest:/shop.sql", "--item", "db", "--state", state)).toBe("dump\n");
  expect(await holdfast(...named, "--as", "other.sql")).toMatchObject({ status: 0 });
});

test.each<[NodeJS.Signals, number | null]>([
  ["SIGINT", 1],
  ["SIGKILL", null],
])(
  "an agent that gets %s leaves no silent command behind, backing up or restoring",
  async (signal, status) => {
    const pid = join(site.folder, `pid-${signal}`);
    const hangs = `sleep 1000 & echo $! > '${pid}'; wait`;
    for (const words of [
      ["backup", "--item", "hang", "--program", hangs, "--as", "out"],
      ["restore", "latest:/out", "--item", "say", "--into-program", hangs],
    ]) {
      const agent = new Program(["agent", ...words, "--state", state]);
      while (!existsSync(pid) || readFileSync(pid, "utf8") === "") await pause(20);
      expect((await agent.stop(signal)).status).toBe(status);
      await gone(pid);
      execFileSync("rm", [pid]);
    }
  },
);

test("an agent that is killed in the middle of a restore does not pass for the end of the file", async () => {
  const [pid, end] = [join(site.folder, "pid-middle"), join(site.folder, "end")];
  expect(await backup("zeros", "head -c 400000000 /dev/zero")).toMatchObject({ status: 0 });
  const command = `echo $$ > '${pid}'; cat > /dev/null; echo > '${end}'`;
  const agent = new Program([
    ...["agent", "restore", "latest:/out", "--item", "zeros", "--state", state, "--into-program", command],
  ]);
  while (!existsSync(pid) || readFileSync(pid, "utf8") === "") await pause(20);
  // Nobody stops the command for a while: it goes on with what it has.
  const children = readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, "utf8").trim().split(" ");
  const watcher = Number(children.find((child) => child !== readFileSync(pid, "utf8").trim()));
  process.kill(watcher, "SIGSTOP");
  agent.child.kill("SIGKILL");
  await once(agent.child, "exit");
  await pause(500);
  process.kill(watcher, "SIGCONT");
  await gone(pid);
  expect(existsSync(end)).toBe(false);
});
