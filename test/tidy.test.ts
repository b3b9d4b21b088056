// Rules of the house that no type checker holds, over what is committed. Each checker is first shown
// to catch a planted violation and to let honest code pass.
import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { failureOf } from "../appliance/cli/exitStatus.ts";
import { errnoOf } from "../fs/fuse/errno.ts";
import { httpStatus } from "../gateway/api/httpStatus.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { checkErrorPage, type Outside } from "./tidy/errors.ts";
import { type SourceFile, trackedFiles, typescriptOf } from "./tidy/files.ts";
import { checkImports } from "./tidy/imports.ts";
import { checkLock } from "./tidy/lock.ts";
import {
  checkClock,
  checkLengths,
  checkMachinePaths,
  checkNames,
  checkOnly,
  checkUnfinished,
} from "./tidy/style.ts";

const files = trackedFiles();
const sources = typescriptOf(files);

function file(path: string, text = ""): SourceFile {
  return { path, text };
}

describe("imports", () => {
  const planted: readonly (readonly [string, string])[] = [
    ["vault/pack.ts", 'import { x } from "../ingest/wire.ts";'],
    ["ingest/wire.ts", 'import { x } from "../gateway/api/server.ts";'],
    ["agent/upload/send.ts", 'import type { X } from "../../gateway/store/pack.ts";'],
    ["gateway/api/server.ts", 'import {\n  x,\n  y,\n} from "../../agent/items/files.ts";'],
    ["gateway/api/server.ts", 'import { x } from "../../fs/view/view.ts";'],
    ["fs/view/tree.ts", 'export { x } from "../fuse/driver.ts";'],
    ["fs/webdav/get.ts", 'const x = await import("../fuse/driver.ts");'],
    ["agent/source/walk.ts", 'new Worker(new URL("../../gateway/api/worker.ts", import.meta.url));'],
    ["appliance/cli/main.ts", 'import "../../test/planted.ts";'],
    ["gateway/store/pack.ts", 'import { open } from "lmdb";'],
    ["agent/source/walk.ts", 'import koffi from "koffi";'],
    ["gateway/catalog/rows.ts", 'import type { FastifyInstance } from "fastify";'],
    ["gateway/store/pack.ts", 'import { S3Client } from "@aws-sdk/client-s3";'],
    ["gateway/store/pack.ts", 'import { nothing } from "left-pad";'],
    ["vault/pack.ts", 'import { openSync } from "node:fs";'],
    ["vault/pack.ts", 'import { open } from "node:fs/promises";'],
    ["test/reference/reader.ts", 'import { limits } from "../../vault/limits.ts";'],
    ["test/reference/reader.ts", 'import { createHmac } from "node:crypto";'],
    ["ingest/line/agents.ts", 'import * as http from "node:http";'],
    ["fs/common.ts", ""],
    ["library/thing.ts", ""],
  ];
  test.each(planted)("caught in %s: %s", (path, text) => {
    expect(checkImports([file(path, text)])).toHaveLength(1);
  });

  test.each([
    ["ingest/wire.ts", 'import { x } from "../vault/pack.ts";'],
    ["gateway/api/server.ts", 'import type { Port } from "../../fs/view/view.ts"; import f from "fastify";'],
    ["gateway/index/chunks.ts", 'import { open } from "lmdb";\nimport { a } from "../store/pack.ts";'],
    [
      "agent/source/walk.ts",
      '// import { x } from "../../gateway/a.ts";\nimport { openSync } from "node:fs";',
    ],
    ["fs/fuse/native.ts", 'import Fuse from "fuse-native"; import { v } from "../view/view.ts";'],
    [
      "appliance/wiring.ts",
      'import { g } from "../gateway/api/server.ts"; import { a } from "../agent/run.ts";',
    ],
    ["vault/seal/tag.ts", 'import { hchacha } from "@noble/ciphers/chacha.js"; import c from "node:crypto";'],
    ["test/reference/reader.ts", 'import { a } from "./pack.ts"; import { b } from "@noble/hashes/sha2.js";'],
    ["test/reference/reader.test.ts", 'import { a } from "../../vault/pack.ts";'],
    [
      "ingest/line/agents.ts",
      'import type * as Http from "node:http"; import { request } from "node:https";',
    ],
  ])("allowed in %s", (path, text) => {
    expect(checkImports([file(path, text)])).toEqual([]);
  });

  test("go one way here", () => {
    // But for this file, whose planted imports are text.
    expect(checkImports(sources.filter(({ path }) => path !== "test/tidy.test.ts"))).toEqual([]);
  });
});

describe("lengths", () => {
  const long = (lines: number) => file("vault/long.ts", "x\n".repeat(lines));

  test("are caught when planted", () => {
    expect(checkLengths([long(300)], {})).toEqual([]);
    expect(checkLengths([long(301)], {})).toHaveLength(1);
    expect(checkLengths([long(500)], { "vault/long.ts": "one table" })).toEqual([]);
    expect(checkLengths([long(501)], { "vault/long.ts": "one table" })).toHaveLength(1);
    expect(checkLengths([long(9)], { "vault/long.ts": "one table" })).toHaveLength(1);
  });

  test("are kept here", () => {
    expect(checkLengths(sources)).toEqual([]);
  });
});

describe("names", () => {
  test.each(["vault/utils/a.ts", "agent/common/a.ts", "fs/view/helpers.ts", "vault/index.ts"])(
    "caught: %s",
    (path) => {
      expect(checkNames([file(path)])).toHaveLength(1);
    },
  );

  test("say what is inside here", () => {
    expect(checkNames([file("gateway/index/chunks.ts")])).toEqual([]);
    expect(checkNames(files)).toEqual([]);
  });
});

describe("clock and chance", () => {
  test("are caught when planted", () => {
    expect(checkClock([file("gateway/store/a.ts", "const t = Date.now();")])).toEqual([
      "gateway/store/a.ts:1: clock and chance are handed in, not read here",
    ]);
    expect(checkClock([file("vault/a.ts", "\nnew Date( );\nMath.random();")])).toHaveLength(2);
    expect(checkClock([file("vault/a.ts", "// never Date.now()\nnew Date(ms);")])).toEqual([]);
    expect(checkClock([file("appliance/clock.ts", "Date.now()"), file("test/a.ts", "Date.now()")])).toEqual(
      [],
    );
    expect(checkClock([file("agent/run.ts", "Date.now()")], ["agent/run.ts"])).toEqual([]);
  });

  test("are read only where they may be here", () => {
    expect(checkClock(sources)).toEqual([]);
  });
});

describe("focused tests and unfinished code", () => {
  test("are caught when planted", () => {
    // Put together, so that this file does not hold what it looks for.
    expect(checkOnly([file("test/a.test.ts", `test.${"only"}("x", () => {});`)])).toHaveLength(1);
    expect(checkOnly([file("test/a.test.ts", `describe.sequential.${"only"}("x")`)])).toHaveLength(1);
    expect(checkOnly([file("test/a.test.ts", "const x = options.only;")])).toEqual([]);
    expect(checkUnfinished([file("vault/a.ts", `// ${"TO"}${"DO"}: the rest`)])).toHaveLength(1);
  });

  test("are not here", () => {
    expect(checkOnly(sources)).toEqual([]);
    expect(checkUnfinished(sources)).toEqual([]);
  });
});

describe("paths of one machine", () => {
  test("are caught when planted", () => {
    expect(checkMachinePaths([file("docs/a.md", `see ${"/wo"}${"rk/main"}`)])).toEqual([
      "docs/a.md:1: a path of one machine",
    ]);
    expect(checkMachinePaths([file("docs/a.md", "see $HOME/work/main and ./work/x")])).toEqual([]);
  });

  test("are not here", () => {
    expect(checkMachinePaths(files)).toEqual([]);
  });
});

describe("docs/errors.md", () => {
  const section = (code: string) =>
    `## ${code}\n\nIt went wrong.\n\n- Arises: here.\n- Do: that.\n- Maps to: exit 1, HTTP 400, EIO\n`;

  const outside: Outside = { exit: 1, http: 400, errno: constants.errno.EIO };
  const check = (page: string, codes: readonly string[], found = outside): string[] =>
    checkErrorPage(page, codes, () => found);

  test("differences are caught when planted", () => {
    expect(check(section("a") + section("b"), ["a", "b"])).toEqual([]);
    expect(check(section("a"), ["a", "b"])).toHaveLength(1);
    expect(check(section("a") + section("b"), ["a"])).toHaveLength(1);
    expect(check(section("a") + section("a"), ["a"])).toHaveLength(1);
    expect(check(section("a").replace("EIO", ""), ["a"])).toHaveLength(1);
    expect(check(section("a"), ["a"], { ...outside, exit: 2 })).toHaveLength(1);
    expect(check(section("a"), ["a"], { ...outside, http: 404 })).toHaveLength(1);
    expect(check(section("a"), ["a"], { ...outside, errno: constants.errno.EACCES })).toHaveLength(1);
    expect(check(section("a").replace("EIO", "EWHAT"), ["a"])).toHaveLength(1);
  });

  test("documents exactly the codes that there are, with the statuses that the program gives", () => {
    const page = files.find(({ path }) => path === "docs/errors.md")?.text ?? "";
    const outsideOf = (code: string): Outside => {
      const error = new HoldfastError(code as ErrorCode, "planted");
      return { exit: failureOf(error).status, http: httpStatus(error.code), errno: errnoOf(error) };
    };
    expect(checkErrorPage(page, Object.values(ErrorCode), outsideOf)).toEqual([]);
  });
});

describe("package-lock.json", () => {
  const hashed = { integrity: "sha512-x" };
  const lock = (packages: object) => JSON.stringify({ packages });

  test("holes are caught when planted", () => {
    const a = { ...hashed, optionalDependencies: { b: "1.0.0" } };
    expect(checkLock(lock({ "": {}, "node_modules/a": a, "node_modules/b": hashed }))).toEqual([]);
    expect(checkLock(lock({ "": {}, "node_modules/a": a, "node_modules/a/node_modules/b": hashed }))).toEqual(
      [],
    );
    expect(checkLock(lock({ "": {}, "node_modules/a": a }))).toHaveLength(1);
    expect(checkLock(lock({ "": {}, "node_modules/b": {} }))).toHaveLength(1);
  });

  test("is whole here", () => {
    const text = files.find(({ path }) => path === "package-lock.json")?.text ?? "{}";
    expect(checkLock(text)).toEqual([]);
  });
});
