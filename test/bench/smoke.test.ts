// The benchmark, tiny: it must work end to end, give every row, and leave nothing behind. HOLDFAST_BENCH=all runs all of its kinds and
// peers, else the standard one beside restic.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { fleetRows } from "./fleetRows.ts";
import { mountsBelow } from "./lifetimes.ts";
import { holdfast } from "./peers/holdfast.ts";
import { PeerName } from "./peers/peer.ts";
import { canServeS3 } from "./peers/s3Server.ts";
import type { Report } from "./report/report.ts";
import { largeRows, offsiteRows, seedingRows, standardRows } from "./rows.ts";
import { upkeepRows } from "./upkeepRows.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "bench-smoke-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const programExists = holdfast.describe() !== undefined;
const all = process.env.HOLDFAST_BENCH === "all";
const peersExist = ["restic", "borg"].some((name) => spawnSync(name, ["--help"]).status === 0);

function bench(...args: string[]) {
  return spawnSync(process.execPath, [MAIN, "--dir", dir, ...args], { encoding: "utf8", timeout: 300_000 });
}

/** Processes whose command line or working folder speaks of `dir`. */
function processesIn(folder: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(folder);
      } catch {
        return false;
      }
    });
}

/** Processes of an S3 server that keeps its files in `folder`. */
function cephProcesses(folder: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`CEPH_CONF=${folder}`);
      } catch {
        return false;
      }
    });
}

/** Waits for `condition`, two minutes at most; what was waited for is then asserted by the caller. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!condition() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
}

function expectNothingLeft(): void {
  expect(mountsBelow(dir)).toEqual([]);
  expect(processesIn(dir)).toEqual([]);
  expect(existsSync(join(dir, "run"))).toBe(false);
}

describe.runIf(programExists || peersExist)("standard run", () => {
  test.each([
    ["Ctrl-C unmounts and ends everything", "SIGINT", [130, null]],
    ["kill -9 leaves no process behind", "SIGKILL", [null, "SIGKILL"]],
  ] as const)("%s", async (_name, signal, expected) => {
    const one = programExists ? PeerName.holdfast : PeerName.restic;
    const args = ["--dir", dir, "--tiny", "--phases", "mount", "--peers", one];
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: "ignore" });
    const ended = once(child, "exit");
    await until(() => mountsBelow(dir).length > 0 || child.exitCode !== null);
    child.kill(signal);
    expect(await ended).toEqual(expected);
    // The next run clears the rest of a killed one away.
    if (signal === "SIGINT") expectNothingLeft();
    else await until(() => processesIn(dir).length === 0);
    expect(processesIn(dir)).toEqual([]);
  });

  test("after a killed run: every row is there for every program, with figures that can be", () => {
    const json = join(dir, "report.json");
    const result = bench("--tiny", "--json", json, ...(all ? [] : ["--peers", "holdfast,restic"]));
    expect(result.stderr + result.stdout).toContain("figures mean nothing");
    expect(result.status).toBe(0);
    const report = JSON.parse(readFileSync(json, "utf8")) as Report;
    expect(report).toMatchObject({ schema: 1, runs: 1, caches: "warm", seed: "holdfast" });
    const programs = Object.keys(report.peers) as PeerName[];
    if (programExists) expect(programs).toContain(PeerName.holdfast);

    const ids = standardRows(0).map((row) => row.id);
    const own = ids.filter((id) =>
      /memory$|^cache-lost|^second-device|^stream-|^agent-|^webdav-(get|list)/.test(id),
    );
    const notBorgs = ["webdav-ranges"];
    for (const program of programs) {
      const expected = ids.filter((id) => {
        if (program === PeerName.holdfast) return true;
        return (!own.includes(id) || id === "mount-memory") && !(program === "borg" && notBorgs.includes(id));
      });
      for (const id of expected) {
        const samples = report.rows.find((row) => row.id === id)?.columns[program]?.samples;
        expect(samples, `${program} has no figure for ${id}`).toHaveLength(1);
        expect(
          samples?.every((value) => Number.isFinite(value) && value >= 0),
          `${program} ${id}`,
        ).toBe(true);
      }
      const roles = report.resources.filter((one) => one.column === program && one.row === "first");
      expect(roles.map((one) => one.role)).toEqual(
        program === PeerName.holdfast ? ["agent", "gateway"] : [program],
      );
      for (const { cpuSeconds, peakMemory } of roles) {
        expect(cpuSeconds.median).toBeGreaterThanOrEqual(0);
        expect(peakMemory.median).toBeGreaterThan(0);
      }
    }
    expectNothingLeft();
  });
});

describe.runIf(programExists && all)("large run", () => {
  test("every row is there", () => {
    const json = join(dir, "large.json");
    const result = bench("--tiny", "--large", "--json", json);
    expect(result.stderr + result.stdout).toContain("figures mean nothing");
    expect(result.status).toBe(0);
    const report = JSON.parse(readFileSync(json, "utf8")) as Report;
    expect(report.rows.map((row) => row.id).sort()).toEqual(largeRows.map((row) => row.id).sort());
    expectNothingLeft();
  });
});

describe.runIf(programExists && all)("seeding run", () => {
  test("every row is there", () => {
    const json = join(dir, "seeding.json");
    const result = bench("--tiny", "--seeding", "--json", json);
    expect(result.stderr + result.stdout).toContain("figures mean nothing");
    expect(result.status).toBe(0);
    const report = JSON.parse(readFileSync(json, "utf8")) as Report;
    expect(report.rows.map((row) => row.id).sort()).toEqual(seedingRows.map((row) => row.id).sort());
    expect(report.rows.find((row) => row.id === "seed-imported")?.columns.source?.samples).toHaveLength(1);
    expectNothingLeft();
  });
});

describe.runIf(programExists && all)("fleet run", () => {
  test("every row is there", () => {
    const json = join(dir, "fleet.json");
    const result = bench("--tiny", "--fleet", "--json", json);
    expect(result.stderr + result.stdout).toContain("figures mean nothing");
    expect(result.status).toBe(0);
    const report = JSON.parse(readFileSync(json, "utf8")) as Report;
    expect(report.rows.map((row) => row.id).sort()).toEqual(fleetRows.map((row) => row.id).sort());
    for (const { id, columns } of report.rows) {
      const samples = columns.holdfast?.samples ?? [];
      expect(samples.every((value) => Number.isFinite(value) && value >= 0) && samples.length === 1, id).toBe(
        true,
      );
    }
    expectNothingLeft();
  });
});

describe.runIf(programExists && all)("upkeep run", () => {
  test("every row is there, and garbage went", () => {
    const json = join(dir, "upkeep.json");
    const result = bench("--tiny", "--upkeep", "--json", json);
    expect(result.stderr + result.stdout).toContain("figures mean nothing");
    expect(result.status).toBe(0);
    const report = JSON.parse(readFileSync(json, "utf8")) as Report;
    expect(report.rows.map((row) => row.id).sort()).toEqual(upkeepRows.map((row) => row.id).sort());
    const counted = report.reported.filter(({ row, column }) => row === "prune" && column === "holdfast");
    for (const name of ["snapshots", "records"]) {
      expect(counted.find((one) => one.name === name)?.values.median, name).toBeGreaterThan(0);
    }
    expect(report.rows.find((row) => row.id === "scrub")?.columns.source?.samples).toHaveLength(1);
    expectNothingLeft();
  });
});

describe.runIf(programExists && all && canServeS3())("offsite run", () => {
  test("every row is there, and nothing of the server is left", () => {
    const json = join(dir, "offsite.json");
    const result = bench("--tiny", "--offsite", "--json", json);
    expect(result.stderr + result.stdout).toContain("figures mean nothing");
    expect(result.status).toBe(0);
    const report = JSON.parse(readFileSync(json, "utf8")) as Report;
    expect(report.rows.map((row) => row.id).sort()).toEqual(offsiteRows.map((row) => row.id).sort());
    for (const id of ["replicate", "evicted-read"]) {
      expect(report.rows.find((row) => row.id === id)?.columns.rclone?.samples, id).toHaveLength(1);
    }
    expectNothingLeft();
    expect(cephProcesses(dir)).toEqual([]);
  });

  test("what a killed run left of its server is cleared away, and Ctrl-C leaves nothing", async () => {
    for (const signal of ["SIGKILL", "SIGINT"] as const) {
      const child = spawn(process.execPath, [MAIN, "--dir", dir, "--tiny", "--offsite"], { stdio: "ignore" });
      const ended = once(child, "exit");
      await until(() => cephProcesses(dir).length > 0 || child.exitCode !== null);
      child.kill(signal);
      await ended;
      if (signal === "SIGKILL") bench("--tiny", "--phases", "unchanged", "--peers", "restic");
      expectNothingLeft();
      expect(cephProcesses(dir)).toEqual([]);
    }
  });
});

describe("command line", () => {
  test("wrong arguments are refused with one clear line", () => {
    for (const [args, said] of [
      [["--runs", "0"], "--runs takes a whole number"],
      [["--peers", "restic,tar"], '"tar" is none of'],
      [["--phases", "nap"], '"nap" is none of'],
      [["--seeding", "--phases", "small,mount"], '"mount" is none of large, small'],
      [["--fast"], "--fast"],
    ] as const) {
      const result = bench(...args);
      expect(result.status).toBe(1);
      expect(result.stderr).toContain(said);
    }
  });

  test("--help names every option", () => {
    const result = bench("--help");
    expect(result.status).toBe(0);
    for (const option of [
      "--runs",
      "--json",
      "--cold",
      "--large",
      "--offsite",
      "--seeding",
      "--upkeep",
      "--tiny",
      "--check",
    ]) {
      expect(result.stdout).toContain(option);
    }
  });
});
