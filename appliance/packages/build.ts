// `npm run build`: everything that is shipped, from what the compiler made (docs/packages.md).
//
//   node appliance/packages/build.ts [--arch amd64|arm64]... [--only deb|tarball|file]... [--out DIR] [--edition whole|agent]... [--compiled DIR] [--fast] [--as-version V]

import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { version as ownVersion } from "../version.ts";
import { makeSingleFile, makeTarball } from "./archives.ts";
import { makeDebian } from "./debian.ts";
import type { Cpu } from "./dependencies.ts";
import { type Edition, stageProgram } from "./stage.ts";
import { runTool, toolOutput } from "./tools.ts";

const root = resolve(import.meta.dirname, "..", "..");
const cpus = { amd64: "x64", arm64: "arm64" } as const;
type Architecture = keyof typeof cpus;
const editions = ["whole", "agent"] as const;
const forms = ["deb", "tarball", "file"] as const;
type Form = (typeof forms)[number];

const { values } = parseArgs({
  options: {
    arch: { type: "string", multiple: true, default: Object.keys(cpus) },
    only: { type: "string", multiple: true, default: [...forms] },
    edition: { type: "string", multiple: true, default: [...editions] },
    out: { type: "string", default: join(root, "dist", "packages") },
    compiled: { type: "string", default: join(root, "dist") },
    fast: { type: "boolean", default: false },
    "as-version": { type: "string", default: ownVersion },
  },
});
const version = values["as-version"];
const { fast } = values;
const out = resolve(values.out);
/** Of the last commit, so that the same one gives the same bytes. */
const epoch = Number(
  process.env.SOURCE_DATE_EPOCH ?? toolOutput("git", "-C", root, "log", "-1", "--format=%ct").trim(),
);
const level = fast ? 1 : 9;

/** A folder with the node_modules for a processor: ours, or what npm puts there for another. */
function installedFor(cpu: Cpu, work: string): string {
  if (cpu === process.arch && existsSync(join(root, "node_modules", `node-linux-${cpu}`))) return root;
  const folder = join(work, `npm-${cpu}`);
  mkdirSync(folder);
  for (const name of ["package.json", "package-lock.json", ".npmrc"])
    copyFileSync(join(root, name), join(folder, name));
  const words = ["ci", "--omit=dev", `--cpu=${cpu}`, "--os=linux", "--libc=glibc", "--prefer-offline"];
  runTool("npm", [...words, "--no-audit", "--no-fund", "--prefix", folder]);
  return folder;
}

async function build(architecture: Architecture, wanted: readonly Form[], work: string): Promise<string[]> {
  const cpu = cpus[architecture];
  const installed = installedFor(cpu, work);
  const stage = async (folder: string, edition: Edition): Promise<string> => {
    const to = join(work, folder);
    rmSync(to, { recursive: true, force: true });
    await stageProgram(to, { root, compiled: resolve(values.compiled), installed, cpu, edition, version });
    return to;
  };
  const made: string[] = [];
  const whole = `holdfast-${version}-linux-${architecture}`;
  if (wanted.includes("tarball")) {
    const file = join(out, `${whole}.tar.gz`);
    const folder = await stage(whole, "whole");
    cpSync(join(root, "docs"), join(folder, "docs"), { recursive: true });
    copyFileSync(join(root, "README.md"), join(folder, "README.md"));
    makeTarball(folder, file, { epoch, level });
    made.push(file);
  }
  if (wanted.includes("file")) {
    const tarball = join(work, "agent.tar.gz");
    makeTarball(await stage("agent", "agent"), tarball, { epoch, level }, true);
    const script = readFileSync(new URL("./singleFile.sh", import.meta.url), "utf8")
      .replaceAll("@VERSION@", version)
      .replaceAll("@ARCH@", architecture);
    const file = join(out, `holdfast-agent-${version}-linux-${architecture}`);
    makeSingleFile(script, tarball, file);
    made.push(file);
  }
  if (wanted.includes("deb")) {
    for (const edition of chosen(values.edition, editions)) {
      const program = await stage(`program-${edition}`, edition);
      made.push(await makeDebian({ root, program, work, edition, version, architecture, epoch, fast, out }));
    }
  }
  return made;
}

function chosen<Name extends string>(given: readonly string[], names: readonly Name[]): Name[] {
  const wrong = given.find((each) => !names.some((name) => name === each));
  if (wrong !== undefined) throw new Error(`${wrong} is none of ${names.join(", ")}`);
  return names.filter((name) => given.includes(name));
}

const work = mkdtempSync(join(tmpdir(), "holdfast-build-"));
try {
  mkdirSync(out, { recursive: true });
  const wanted = chosen(values.only, forms);
  const architectures = chosen(values.arch, Object.keys(cpus) as Architecture[]);
  const made: string[] = [];
  for (const architecture of architectures) made.push(...(await build(architecture, wanted, work)));
  const sums = made.map((path) => {
    const bytes = readFileSync(path);
    console.log(`${path} ${(bytes.length / 2 ** 20).toFixed(1)} MiB`);
    return `${createHash("sha256").update(bytes).digest("hex")}  ${basename(path)}\n`;
  });
  writeFileSync(join(out, "SHA256SUMS"), sums.join(""));
} finally {
  rmSync(work, { recursive: true, force: true });
}
