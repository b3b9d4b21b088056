// What a snapshot of a real folder holds, read back the slow way.

import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import { backupFixture, noise } from "./backupFixture.ts";
import { folderFacts, snapshotFacts } from "./readBack.ts";

const fx = backupFixture();

describe("what a snapshot holds", () => {
  test("every kind of thing, exactly", async () => {
    fx.smallTree(60);
    writeFileSync(join(fx.source, "large"), noise(9_000_000, 5));
    writeFileSync(join(fx.source, "empty"), "");
    mkdirSync(join(fx.source, "hollow"));
    symlinkSync("nowhere", join(fx.source, "dangling"));
    linkSync(join(fx.source, "d1", "f1"), join(fx.source, "hard"));
    writeFileSync(
      Buffer.concat([Buffer.from(`${fx.source}/`), Buffer.from([0x66, 0xff, 0xfe])]),
      "not UTF-8",
    );
    chmodSync(join(fx.source, "empty"), 0o4711);
    const outcome = await fx.run();
    expect(fx.warnings).toEqual([]);
    const facts = snapshotFacts(fx.gateway, fx.source);
    expect(facts.get(`${fx.source}/f\xff\xfe`)).toMatch(/^file .* 9 /);
    facts.delete(`${fx.source}/f\xff\xfe`);
    rmSync(Buffer.concat([Buffer.from(`${fx.source}/`), Buffer.from([0x66, 0xff, 0xfe])]));
    expect(facts).toEqual(folderFacts(fx.source));
    expect(outcome.counts.files).toBe(64);
    expect(outcome.counts.others).toBe(1);
  });

  test("holes cost nothing and come back as zeros", async () => {
    const fd = openSync(join(fx.source, "sparse"), "w");
    ftruncateSync(fd, 40 * 2 ** 20);
    writeSync(fd, noise(100_000, 1), 0, 100_000, 20 * 2 ** 20);
    closeSync(fd);
    const outcome = await fx.run();
    expect(outcome.sentBytes).toBeLessThan(300_000);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("a single file, and a folder below a link that was named", async () => {
    mkdirSync(join(fx.source, "real"));
    writeFileSync(join(fx.source, "real", "a"), "a");
    writeFileSync(join(fx.source, "one"), "1");
    symlinkSync("real", join(fx.source, "link"));
    const paths = resolveTopPaths([join(fx.source, "one"), join(fx.source, "link")]);
    expect(paths[1]?.resolvedFrom).toBe(join(fx.source, "link"));
    await fx.run({ paths });
    expect([...snapshotFacts(fx.gateway, fx.source).keys()].sort()).toEqual([
      `${fx.source}/one`,
      `${fx.source}/real`,
      `${fx.source}/real/a`,
    ]);
  });

  test("filters leave out what they name", async () => {
    fx.smallTree(20);
    await fx.run({ rules: { excludes: ["d3", "f1?"] } });
    const names = [...snapshotFacts(fx.gateway, fx.source).keys()];
    expect(names.some((name) => name.includes("/d3"))).toBe(false);
    expect(names.some((name) => name.endsWith("/f15"))).toBe(false);
    expect(names.some((name) => name.endsWith("/f9"))).toBe(true);
  });
});
