// The program as it is shipped, for tests and measurements: compiled, and its modules joined.

import { execFile } from "node:child_process";
import { copyFileSync, cpSync, rmSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { stageModules } from "../appliance/packages/stage.ts";
import { variable } from "./programWords.ts";

const root = resolve(import.meta.dirname, "..");
const compiledFolder = "compiled";

/** Builds it to a folder that is not there yet or may go. It uses the packages of this checkout. Throws where the compiler finds errors. */
export async function buildProgram(to: string): Promise<void> {
  rmSync(to, { recursive: true, force: true });
  const compiled = await compile(join(to, compiledFolder));
  await stageModules(join(to, "dist"), { root, compiled, isLeftOut: () => false });
  cpSync(join(root, "bin"), join(to, "bin"), { recursive: true });
  copyFileSync(join(root, "package.json"), join(to, "package.json"));
  symlinkSync(join(root, "node_modules"), join(to, "node_modules"));
}

/** What the compiler makes of this checkout: of the program that was built for the tests, or made to `to` now. */
export async function compiledProgram(to: string): Promise<string> {
  const built = process.env[variable];
  return built === undefined ? compile(to) : join(built, compiledFolder);
}

async function compile(to: string): Promise<string> {
  const tsc = join(root, "node_modules", ".bin", "tsc");
  await promisify(execFile)(tsc, ["-p", "tsconfig.build.json", "--outDir", to], { cwd: root });
  return to;
}
