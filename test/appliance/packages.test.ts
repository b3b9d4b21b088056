// What goes into packages, and what services are told, before any is built: test/e2e/packages.test.ts installs them.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commandsOf } from "../../appliance/cli/commandTable.ts";
import { debianVersion } from "../../appliance/packages/debian.ts";
import { type Cpu, dependenciesOf, type Lock, readLock } from "../../appliance/packages/dependencies.ts";
import { manPage } from "../../appliance/packages/manPage.ts";
import { reachable } from "../../appliance/packages/reachable.ts";
import { rightsOf } from "../../appliance/service/asOwner.ts";
import { services, unitText, writtenBy } from "../../appliance/service/units.ts";
import { folderOf } from "./folderOf.ts";

describe("files of a program", () => {
  const files = {
    "main.js": [
      'import "reflect-metadata";',
      'import { a,\n b } from "./a.js";',
      'export const text = "not-imported";',
      '// import("./comment.js")',
      'const later = () => import("./later.js");',
      'const alsoLater = () => import("./gateway/run.js");',
      "const viaGateway = () => import('./bound.js');",
    ].join("\n"),
    "a.js": 'export { b } from "./b.js";\nimport { x } from "@scope/name/deep.js";\nimport "node:fs";',
    "b.js": "const worker = new URL(`./worker$" + "{extname(import.meta.filename)}`, import.meta.url);",
    "worker.js": 'createRequire(import.meta.url)("koffi");',
    "later.js": 'import "./main.js";',
    "bound.js": 'import "./gateway/run.js";\nimport "only-of-bound";',
    "gateway/run.js": 'import "fastify";',
    "unused.js": "",
  };
  const everything = ["a.js", "b.js", "bound.js", "gateway/run.js", "later.js", "main.js", "worker.js"];

  test("imports, threads and packages are followed; nothing else is", () => {
    const found = reachable(folderOf(files), "main.js", () => false);
    expect(found.files).toEqual(everything);
    expect(found.started).toEqual(["main.js", "worker.js"]);
    expect(found.packages).toEqual(["@scope/name", "fastify", "koffi", "only-of-bound", "reflect-metadata"]);
  });

  test("what is left out takes along what cannot be without it", () => {
    const found = reachable(folderOf(files), "main.js", (path) => path.startsWith("gateway/"));
    expect(found.files).toEqual(["a.js", "b.js", "later.js", "main.js", "worker.js"]);
    expect(found.packages).not.toContain("only-of-bound");
    expect(found.cut).toEqual(["bound.js", "gateway/run.js"]);
    const bound = folderOf({ ...files, "b.js": 'import "./gateway/run.js";' });
    expect(() => reachable(bound, "main.js", (path) => path.startsWith("gateway/"))).toThrow("cannot start");
    expect(() => reachable(folderOf({ "main.js": 'import "./gone.js";' }), "main.js", () => false)).toThrow(
      "not in the build",
    );
  });
});

describe("packages of others", () => {
  const lock: Lock = {
    packages: {
      "node_modules/a": {
        dependencies: { b: "1" },
        optionalDependencies: { "a-arm64": "1", "a-x64": "1", gone: "1" },
      },
      "node_modules/a/node_modules/b": { dependencies: { c: "1" } },
      "node_modules/b": {},
      "node_modules/c": {},
      "node_modules/a-arm64": { os: ["linux"], cpu: ["arm64"], optional: true },
      "node_modules/a-x64": { os: "linux", cpu: "x64", optional: true },
    },
  };
  test("are found as Node finds them, for a processor", () => {
    expect(dependenciesOf(lock, ["a"], "arm64")).toEqual([
      "node_modules/a",
      "node_modules/a-arm64",
      "node_modules/a/node_modules/b",
      "node_modules/c",
    ]);
    expect(dependenciesOf(lock, ["a"], "x64")).toContain("node_modules/a-x64");
    expect(() => dependenciesOf(lock, ["d"], "x64")).toThrow("not in package-lock.json");
  });

  test.each(["x64", "arm64"] as const)("every native part is in the lock file for %s", (cpu: Cpu) => {
    const places = dependenciesOf(
      readLock(join(import.meta.dirname, "..", "..")),
      ["koffi", "lmdb", `node-linux-${cpu}`],
      cpu,
    );
    for (const name of ["@koromix/koffi-linux-", "@lmdb/lmdb-linux-", "node-linux-"])
      expect(places).toContain(`node_modules/${name}${cpu}`);
  });
});

describe("units for another place", () => {
  const { agent, gateway } = services;
  const text = (file: string, service: typeof agent, changes: object = {}): string =>
    unitText(file, {
      program: "/opt/holdfast/bin/holdfast",
      service,
      directory: service.directory,
      ...changes,
    });

  test("name the program and the directory, and say who wrote them", () => {
    const unit = text(gateway.unit, gateway, { directory: "/home/me/data" });
    expect(unit.startsWith(writtenBy)).toBe(true);
    expect(unit).toContain("\nExecStart=/opt/holdfast/bin/holdfast gateway run\n");
    expect(unit).toContain("\nConditionPathExists=/home/me/data/gateway.json\n");
    expect(unit).toContain("\nReadWritePaths=/home/me/data -/srv");
    expect(unit).not.toContain("/var/lib/holdfast");
    // Else it would not see it.
    expect(unit).toContain("\nProtectHome=read-only\n");
  });

  test("as root there are no walls, and everything else stays", () => {
    const unit = text(agent.unit, agent, { asRoot: true });
    expect(unit).not.toMatch(/^(User|Protect|Private|Restrict|SystemCall|Capability|NoNew)/m);
    for (const kept of ["WatchdogSec=3min", "Type=notify", "KillMode=mixed", "LimitCORE=0"])
      expect(unit).toContain(kept);
  });

  test("a path that would mean something else in a unit is refused", () => {
    for (const directory of ["/srv/my data", "/srv/%h", "/srv/a\nExecStart=/bin/sh", '/srv/"', "relative"])
      expect(() => text(agent.unit, agent, { directory })).toThrow("a unit cannot hold");
  });
});

test("rights are read from /proc/PID/status", () => {
  expect(rightsOf("Name:\tx\nCapPrm:\t0000000000000000\n")).toEqual([]);
  expect(rightsOf("CapPrm:\t0000000000000084\n")).toEqual([2, 7]);
  expect(rightsOf("CapPrm:\t8000000000000000\n")).toEqual([63]);
  expect(rightsOf("nothing")).toEqual([]);
});

test("a version before the release is an older package", () => {
  expect(debianVersion("1.0.0-rc.1")).toBe("1.0.0~rc.1");
});

test("the agent's package has what every machine needs, and nothing of the gateway", async () => {
  const words = new Set((await commandsOf("agent")).map(({ path }) => path[0]));
  expect([...words].sort()).toEqual([
    "agent",
    "completion",
    "config",
    "doctor",
    "help",
    "service",
    "version",
  ]);
});

test("the man page has every command and option, as text", async () => {
  const table = await commandsOf("whole");
  const page = manPage(table, "1.0.0", "2026-11-26");
  for (const { path, options } of table) {
    expect(page).toContain(`.SS holdfast ${path.join(" ").replaceAll("-", "\\-")}`);
    for (const { name, hidden } of options)
      if (hidden !== true) expect(page).toContain(`\\-\\-${name.replaceAll("-", "\\-")}`);
  }
  const lines = page.split("\n").filter((line) => /^[.']/.test(line));
  expect(lines.every((line) => /^\.(TH|SH|SS|TP|PP|B|I|EX|EE)\b/.test(line))).toBe(true);
});
