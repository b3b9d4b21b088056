// `--fleet`: many agents at once, and a backup beside an attack on the login.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Corpus } from "../corpus/corpus.ts";
import { BenchFailure } from "../failure.ts";
import { prepareCaches } from "../measure/caches.ts";
import { measure, type Program, startService, untilReady } from "../measure/programs.ts";
import { holdfast } from "../peers/holdfast.ts";
import { type HoldfastRepository, PeerName } from "../peers/peer.ts";
import type { Scale } from "../scale.ts";
import { percentile } from "../statistics.ts";
import { type Context, narrated } from "./context.ts";

const AGENTS = "agents";
const GATEWAY = "gateway";
const column = PeerName.holdfast;
const nodeProgram = (role: string, file: string, ...args: string[]): Program => ({
  command: process.execPath,
  args: [fileURLToPath(new URL(file, import.meta.url)), ...args],
  role,
});

/** One run of both cases, from an empty gateway. */
export async function fleetRun(context: Context, corpus: Corpus, scale: Scale): Promise<void> {
  const home = join(context.dir, "run");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const dir = join(home, column);
  const gateway = await holdfast.create(dir);
  try {
    await manyAgents(context, scale, gateway, dir);
    await wrongLogins(context, corpus, gateway);
  } finally {
    await gateway.close();
  }
  rmSync(home, { recursive: true, force: true });
}

async function manyAgents(
  { samples, say }: Context,
  { fleetAgents, fleetSeconds }: Scale,
  gateway: HoldfastRepository,
  dir: string,
): Promise<void> {
  const states = ["first"];
  await narrated(say, `${fleetAgents} devices enrolled`, async () => {
    for (let i = 1; i <= fleetAgents; i++) {
      states.push(`agent-${i}`);
      await gateway.enrollAnother(`agent-${i}`);
    }
  });
  const [asker = "", ...agents] = states.map((device) => join(dir, `state-${device}`));
  const two = await uploaded(gateway, agents.slice(0, 2), asker, fleetSeconds);
  const all = await uploaded(gateway, agents, asker, fleetSeconds);
  samples.add("fleet-two", column, two.rate);
  samples.add("fleet-all", column, all.rate);
  samples.add("fleet-have", column, percentile(all.waits, 99) / 1000);
  samples.add("fleet-least", column, (100 * Math.min(...all.bytes) * all.bytes.length) / sum(all.bytes));
  samples.addUsage("fleet-all", column, all.step);
  samples.add("fleet-memory", column, all.step.usage.get(GATEWAY)?.peakMemory ?? Number.NaN);
}

async function uploaded(
  gateway: HoldfastRepository,
  agents: readonly string[],
  asker: string,
  seconds: number,
) {
  const asking = startService(nodeProgram("asker", "fleetAgents.ts", "ask", String(seconds), asker));
  const program = nodeProgram(AGENTS, "fleetAgents.ts", "upload", String(seconds), ...agents);
  const step = await measure(program, gateway.services);
  await untilReady(program, asking, () => asking.hasEnded() || asking.output().includes("waits"));
  const { waits } = lastLine<{ waits: number[] }>(asking.output());
  await asking.stop();
  const done = lastLine<{ bytes: number[]; seconds: number }>(step.stdout);
  return { step, waits, bytes: done.bytes, rate: sum(done.bytes) / done.seconds };
}

/**
 * First backups, each of a device with a group of its own: alone, beside a core that is busy with something else, and beside one that tries
 * logins.
 */
async function wrongLogins(
  { samples, say, caches, dir }: Context,
  corpus: Corpus,
  gateway: HoldfastRepository,
): Promise<void> {
  corpus.revert();
  // All before the attack: the gateway would make this address wait.
  const turns: (readonly ["quiet" | "spin" | "kept" | "fresh", HoldfastRepository])[] = [];
  for (const how of ["quiet", "spin", "kept", "fresh"] as const)
    turns.push([how, await gateway.enrollAnother(how, "isolated")]);
  for (const [how, device] of turns) {
    const attack =
      how === "quiet" ? undefined : startService(nodeProgram("attack", "wrongLogins.ts", how, gateway.url));
    try {
      prepareCaches(caches, [corpus.tree], dir);
      const { step } = await narrated(say, `first backup, logins: ${how}`, () => device.backup(corpus.tree));
      if (attack?.hasEnded()) throw new BenchFailure(`the attack on the login ended: ${attack.output()}`);
      samples.addStep(`logins-${how}`, column, step);
    } finally {
      await attack?.stop();
    }
  }
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

function lastLine<T>(output: string): T {
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as T;
}
