// The index, measured by a program of its own, without any agent or network in the way.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BenchFailure } from "../failure.ts";
import { type Measurement, measure } from "../measure/programs.ts";
import { PeerName } from "../peers/peer.ts";
import { type Context, narrated } from "./context.ts";

const INDEX_BENCH = fileURLToPath(new URL("../indexBench.ts", import.meta.url));

/** A small index is not looked at for longer than it took to make. */
const lookupsPerChunk = 10;
const lookupsMax = 1_000_000;

/** Runs indexBench.ts; `rows` says which field of its last line fills which row. */
export async function measureIndex(
  context: Context,
  chunks: number,
  rows: Readonly<Record<string, string>>,
  ...flags: string[]
): Promise<void> {
  const dir = join(context.dir, "run", "index");
  mkdirSync(dir, { recursive: true });
  const lookups = Math.min(lookupsMax, lookupsPerChunk * chunks);
  const args = [
    ...[INDEX_BENCH, "--chunks", String(chunks), "--lookups", String(lookups), "--directory", dir, "--json"],
    ...flags,
  ];
  const step = await narrated(context.say, `index of ${chunks} chunks`, () =>
    measure({ command: process.execPath, args, role: "index" }),
  );
  const figures = lastFigures(step, "indexBench.ts", Object.keys(rows));
  for (const [field, row] of Object.entries(rows)) {
    context.samples.add(row, PeerName.holdfast, figures[field] as number);
  }
  context.samples.addUsage("index", PeerName.holdfast, step);
  rmSync(dir, { recursive: true, force: true });
}

/** Numbers of the JSON object that is a program's last line. Throws BenchFailure where one is not there. */
export function lastFigures<Field extends string>(
  { stdout }: Pick<Measurement, "stdout">,
  program: string,
  fields: readonly Field[],
): Record<Field, number> {
  const line = stdout.trim().split("\n").at(-1) ?? "";
  const parsed = JSON.parse(line) as Record<string, unknown>;
  for (const field of fields) {
    if (typeof parsed[field] !== "number")
      throw new BenchFailure(`${program} printed no number as ${field}: ${line}`);
  }
  return Object.fromEntries(fields.map((field) => [field, parsed[field]])) as Record<Field, number>;
}
