// `npm run test:guest`: what only a booted system can show. Minutes long, since the processor is emulated; not a part of `npm test`.
//
//   node test/guest/main.ts [services|portable|lvm ...]

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../appliance/version.ts";
import { compiledProgram } from "../builtProgram.ts";
import { type GuestPlan, runGuest } from "./guest.ts";

const top = join(import.meta.dirname, "..", "..");

/** What is shipped for this processor, as one or more versions. */
async function buildPackages(
  parent: string,
  forms: readonly string[],
  versions: readonly string[],
): Promise<string[]> {
  const folder = mkdtempSync(join(parent, "built-"));
  const compiled = await compiledProgram(join(folder, "compiled"));
  const out = join(folder, "packages");
  mkdirSync(out);
  const program = join(top, "appliance", "packages", "build.ts");
  const fixed = [
    "--fast",
    "--arch",
    "amd64",
    ...forms.flatMap((form) => ["--only", form]),
    "--compiled",
    compiled,
    "--out",
    out,
  ];
  for (const which of versions)
    execFileSync(process.execPath, [program, ...fixed, "--as-version", which], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  return readdirSync(out)
    .filter((name) => name !== "SHA256SUMS")
    .map((name) => join(out, name));
}

/** What every guest needs of Debian for what is shipped. */
const neededPackages = ["fuse3", "procps", "libstdc++6", "passwd"];

const plans: Readonly<Record<string, (folder: string) => Promise<GuestPlan>>> = {
  services: async (folder) => ({
    script: join(import.meta.dirname, "services.sh"),
    files: await buildPackages(folder, ["deb"], [version, "99.0.0"]),
    packages: neededPackages,
    diskMiB: 6000,
    disksMiB: [],
    timeoutMs: 90 * 60_000,
  }),
  portable: async (folder) => ({
    script: join(import.meta.dirname, "portable.sh"),
    files: await buildPackages(folder, ["tarball", "file"], [version]),
    packages: neededPackages,
    diskMiB: 6000,
    disksMiB: [],
    timeoutMs: 60 * 60_000,
  }),
  lvm: async (folder) => ({
    script: join(import.meta.dirname, "lvm.sh"),
    files: await buildPackages(folder, ["deb"], [version]),
    packages: [...neededPackages, "lvm2", "thin-provisioning-tools", "xfsprogs"],
    diskMiB: 4000,
    disksMiB: [1000],
    timeoutMs: 60 * 60_000,
  }),
};

const folder = mkdtempSync(join(tmpdir(), "holdfast-guest-packages-"));
try {
  const names = process.argv.slice(2);
  for (const name of names.length > 0 ? names : Object.keys(plans)) {
    const plan = plans[name];
    if (plan === undefined) throw new Error(`no guest ${name}; there is: ${Object.keys(plans).join(", ")}`);
    const began = performance.now();
    const isGood = await runGuest(await plan(folder));
    console.log(
      `${name}: ${isGood ? "passed" : "FAILED"}, ${Math.round((performance.now() - began) / 1000)} s`,
    );
    if (!isGood) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
