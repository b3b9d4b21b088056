// A program that is whole in one folder: its own Node, what it needs of our build and of others' packages. Everything that is shipped is
// made of such a folder.

import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { edition } from "../version.ts";
import { type Cpu, copyDependencies, dependenciesOf, readLock } from "./dependencies.ts";
import { joinModules } from "./join.ts";
import { reachable } from "./reachable.ts";

export type Edition = typeof edition;

export type StagePlan = {
  /** The checkout. */
  readonly root: string;
  /** What the compiler made of it. */
  readonly compiled: string;
  /** A folder with the node_modules of this processor. */
  readonly installed: string;
  readonly cpu: Cpu;
  readonly edition: Edition;
  readonly version: string;
};

export type ModulesPlan = Pick<StagePlan, "root" | "compiled"> & {
  readonly isLeftOut: (file: string) => boolean;
};

/** Folders whose files are read or run as they are. */
const notCompiled: readonly string[] = ["appliance/systemd", "agent/hooks"];

const entry = "appliance/cli/main.js";
/** What bin/holdfast has Node load before it. */
const preloaded = "appliance/cli/ownFiles.js";

/** Dependencies of the second driver of drives that do not say for which systems they are. */
const forOthers: readonly string[] = ["fuse-shared-library-darwin", "fuse-shared-library-linux-arm"];

/** Makes the folder `to`. */
export async function stageProgram(to: string, plan: StagePlan): Promise<void> {
  const { root, compiled, installed, cpu, version, edition } = plan;
  const lock = readLock(root);
  const isLeftOut = (file: string): boolean => edition === "agent" && file.startsWith("gateway/");
  const packages = await stageModules(join(to, "dist"), { root, compiled, isLeftOut });
  // The second driver of drives has no native part for other processors.
  const loaded = packages.filter((name) => name !== "fuse-native" || cpu === "x64");
  const places = dependenciesOf(lock, [...loaded, `node-linux-${cpu}`], cpu).filter(
    (place) => !forOthers.some((name) => place === `node_modules/${name}`),
  );
  copyDependencies(lock, places, installed, to);
  copy(join(root, "bin", "holdfast"), join(to, "bin", "holdfast"));
  chmodSync(join(to, "bin", "holdfast"), 0o755);
  const { name, type, license, engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const described = { name, version, type, private: true, license, engines, edition };
  writeFileSync(join(to, "package.json"), `${JSON.stringify(described, null, 2)}\n`);
}

/** What is ours, in few files; answers the packages that it needs. */
export async function stageModules(
  to: string,
  { root, compiled, isLeftOut }: ModulesPlan,
): Promise<readonly string[]> {
  const { files, started, packages, cut } = reachable(compiled, entry, isLeftOut);
  const inIt = await joinModules({
    build: compiled,
    started: [...new Set([...started, preloaded])],
    cut,
    to,
  });
  const wrong = inIt.find((file) => file !== preloaded && !files.includes(file));
  if (wrong !== undefined) throw new Error(`${wrong} was joined, and is not to be in it`);
  for (const folder of notCompiled) copyUncompiled(join(root, folder), join(to, folder));
  return packages;
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

function copyUncompiled(from: string, to: string): void {
  for (const name of readdirSync(from)) if (!name.endsWith(".ts")) copy(join(from, name), join(to, name));
}
