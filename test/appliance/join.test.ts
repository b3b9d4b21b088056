// Joined modules do what they did apart: the same program is run before and after.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { joinModules } from "../../appliance/packages/join.ts";
import { folderOf } from "./folderOf.ts";

const files = {
  "cli/main.js": `
    import { Worker } from "node:worker_threads";
    import { extname } from "node:path";
    import { createRequire as requireFrom } from "node:module";
    import * as paths from "node:path";
    import { Odd, count, url } from "../a/odd.js";
    import { later } from "../a/later.js";
    const file = new URL(\`../a/worker\${extname(import.meta.url)}\`, import.meta.url);
    const heard = await new Promise((resolve) => new Worker(file).once("message", resolve));
    const absent = await later("absent").catch((error) => error.code);
    console.log(JSON.stringify({
      heard, absent, name: new Odd().constructor.name, count: count(), url: url.split("/").slice(-2),
      text: (await later("there")).text, same: paths.extname === extname, package: requireFrom(import.meta.url)("plain").told,
    }));`,
  "a/odd.js": `
    import { Odd as Other } from "./even.js";
    export const url = import.meta.url;
    let counted = 0;
    export const count = () => ++counted;
    export class Odd extends Other {}`,
  "a/even.js": "export class Odd {}",
  "a/later.js": `
    export const later = (which) => which === "there" ? import("./there.js") : import("./absent.js");`,
  "a/there.js": `
    import { count } from "./odd.js";
    export const text = "there " + count();`,
  "a/worker.js": `
    import { parentPort } from "node:worker_threads";
    import { count, url } from "./odd.js";
    parentPort.postMessage(["worker", count(), url.split("/").slice(-2)]);`,
  "a/absent.js": "export const never = 1;",
  "node_modules/plain/index.js": "module.exports = { told: 'plain' };",
  "package.json": '{"type":"module"}',
  "node_modules/plain/package.json": '{"name":"plain","main":"index.js"}',
};

const said = (folder: string): unknown =>
  JSON.parse(execFileSync(process.execPath, [join(folder, "cli/main.js")], { encoding: "utf8" }));

const plan = { started: ["cli/main.js", "a/worker.js"], cut: ["a/absent.js"] };

test("modules keep their state, names and addresses, threads and packages are found, and what is cut is not there", async () => {
  const build = folderOf(files);
  rmSync(join(build, "a/absent.js"));
  const apart = said(build);
  expect(apart).toMatchObject({ absent: "ERR_MODULE_NOT_FOUND", package: "plain", name: "Odd" });
  const to = folderOf({ "package.json": files["package.json"] });
  writeFileSync(join(build, "a/absent.js"), files["a/absent.js"]);
  const inIt = await joinModules({ build, to, ...plan });
  expect(inIt.sort()).toEqual(
    Object.keys(files)
      .filter((path) => /^(cli|a)\/(?!absent)/.test(path))
      .sort(),
  );
  mkdirSync(join(to, "node_modules/plain"), { recursive: true });
  for (const name of ["index.js", "package.json"] as const)
    writeFileSync(join(to, "node_modules/plain", name), files[`node_modules/plain/${name}`]);
  rmSync(build, { recursive: true });
  expect(said(to)).toEqual(apart);
  expect(readdirSync(join(to, "a"))).toEqual(["worker.js"]);
  expect(existsSync(join(to, "cli/main.js"))).toBe(true);
});

test("the same modules give the same bytes, wherever they lie, and say which module a line is of", async () => {
  const made = await Promise.all(
    ["one", "another"].map(async () => {
      const build = folderOf(files);
      const to = join(build, "to");
      await joinModules({ build, to, ...plan });
      const names = readdirSync(to, { recursive: true, encoding: "utf8" }).filter((name) =>
        name.endsWith(".js"),
      );
      return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(to, name), "utf8")]));
    }),
  );
  expect(made[0]).toEqual(made[1]);
  expect(Object.values(made[0]!).join("")).not.toMatch(/import.*"node:/);
  expect(Object.values(made[0]!).join("")).toContain("\n// a/even.js\n");
});

test("what cannot be joined is refused with its file", async () => {
  const missing = folderOf({ ...files, "a/even.js": 'import "./none.js"; export class Odd {}' });
  await expect(joinModules({ build: missing, to: join(missing, "to"), ...plan })).rejects.toThrow("none.js");
  const odd = folderOf({ ...files, "a/even.js": 'export { join } from "node:path"; export class Odd {}' });
  await expect(joinModules({ build: odd, to: join(odd, "to"), ...plan })).rejects.toThrow(
    "imports a module of Node's",
  );
  const asking = folderOf({ ...files, "a/even.js": "export class Odd { at = import.meta.dirname; }" });
  await expect(joinModules({ build: asking, to: join(asking, "to"), ...plan })).rejects.toThrow(
    "even.js asks for",
  );
});
