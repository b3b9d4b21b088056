// A process that may open few files backs up all the same: directories that wait for their files to be read are bounded by what there is.

import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { done, enroll, openSite, program } from "./program.ts";

test.skipIf(process.platform !== "linux")(
  "with 128 open files, a folder of 600 folders is backed up whole",
  async () => {
    const site = await openSite();
    const state = await enroll(site, "laptop");
    const source = join(site.folder, "source");
    for (let folder = 0; folder < 600; folder++) {
      mkdirSync(join(source, `d${folder}`), { recursive: true });
      writeFileSync(join(source, `d${folder}`, "f"), `content ${folder}`);
    }
    const backup = program("agent", "backup", source, "--state", state, "--json", "--priority", "low");
    const { stdout } = await promisify(execFile)("prlimit", ["--nofile=128:128", ...backup]);
    expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
      event: "done",
      files: 600,
      warnings: 0,
    });
    expect(await done("agent", "check", "latest", "--read-data", "100%", "--state", state)).toBeTruthy();
  },
);
