// holdfast agent run

import { HookedRun } from "../../agent/hooks/hookedRun.ts";
import { codePagesGiver } from "../../agent/platform/codePages.ts";
import { lineIsMetered, runsOnBattery } from "../../agent/platform/powerAndLine.ts";
import { GatewayLink } from "../../agent/schedule/gatewayLink.ts";
import { ScheduleFile } from "../../agent/schedule/scheduleFile.ts";
import { lookMs, Scheduler } from "../../agent/schedule/scheduler.ts";
import { readEnrollment } from "../../agent/state/enrollment.ts";
import { lockScheduler, lockState } from "../../agent/state/stateDirectory.ts";
import type { Line } from "../../ingest/line/line.ts";
import type { DefinedItem, ItemDefinition } from "../../ingest/schedule/itemDefinition.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { lineWords } from "../agentLine.ts";
import { agentContext } from "../agentSettings.ts";
import { backUpByChild, backupWords, countByChild } from "../backupChild.ts";
import type { CommandContext } from "../cli/command.ts";
import { hookPort } from "../hookSettings.ts";
import { type Watched, watchedService } from "../service/watched.ts";

/** How often definitions are asked for. */
const askMs = 5 * 60_000;
/** So long a wait that it is worth to give memory back. */
const longMs = 10_000;

export async function run(given: CommandContext): Promise<void> {
  const { context, state, line } = await agentContext(given);
  const { device, gateway } = readEnrollment(state);
  const watched = await watchedService(given.environment);
  const lock = lockScheduler(state);
  try {
    context.output.event({ event: "running", device: device.name, gateway: gateway.url, pid: process.pid });
    context.output.line(`Backing up ${device.name} by the schedules of ${gateway.url}.`);
    watched.ready(`backing up ${device.name} by the schedules of ${gateway.url}`);
    await schedule(context, state, line, device.id, watched);
  } finally {
    lock.release();
  }
}

async function schedule(
  context: CommandContext,
  state: string,
  line: Line,
  device: string,
  watched: Watched,
): Promise<void> {
  const { args, output, signal, nowMs } = context;
  const wallMs = wallClock(args.text("clock"), nowMs);
  const onlyBelow = args.texts("only-below");
  const wrong = onlyBelow.find((folder) => !folder.startsWith("/"));
  if (wrong !== undefined)
    throw new HoldfastError(ErrorCode.usage, `--only-below ${wrong} is not an absolute path`);
  const file = new ScheduleFile(state);
  const waker = new Waker();
  let askAtMs = 0;
  const askNow = (): void => {
    askAtMs = 0;
    waker.wake();
  };
  const tell = (event: string, facts: Readonly<Record<string, unknown>>): void => {
    output.event({ event, time: new Date(wallMs()).toISOString(), ...facts });
    output.line(lineOf(event, facts));
    if (event === "clock-jumped") askAtMs = 0;
    // What failed, or was passed over, is known at the gateway soon.
    if (["backup-failed", "backup-held", "passed-over"].includes(event)) askNow();
  };
  if (file.wasDamaged) tell("state-was-damaged", { file: "schedule.json" });
  const words = (item: DefinedItem, ...more: readonly string[]): string[] =>
    backupWords(state, item, [...lineWords(args), ...more]);
  const count = (item: DefinedItem, stopped: AbortSignal) => countByChild(words(item, "--estimate"), stopped);
  const link = new GatewayLink({ state, line, file, onlyBelow, now: () => new Date(wallMs()), tell, count });
  const scheduler = new Scheduler({
    ...{ wallMs, monotonicMs: nowMs, random: Math.random, device, file, tell },
    obstacle: ({ definition }, stopped) => obstacleTo(definition, stopped, args.text("power-supplies")),
    backUp: async (item, stopped) => {
      const end = await backUpByChild(words(item), stopped, ({ event, ...facts }) =>
        tell(event === "warning" ? "backup-warning" : "hook-output", { ...facts, item: item.name }),
      );
      await sweepHooks(context, state);
      return end;
    },
    wake: () => waker.wake(),
  });
  await sweepHooks(context, state);
  process.on("SIGHUP", askNow);
  signal.addEventListener("abort", () => waker.wake(), { once: true });
  scheduler.obey(link.items());
  const giveBack = codePagesGiver();
  let asking: Promise<void> | undefined;
  let counting: Promise<void> | undefined;
  while (!signal.aborted) {
    if (nowMs() >= askAtMs && asking === undefined) {
      askAtMs = nowMs() + askMs;
      asking = link.exchange(signal).then((changed) => {
        asking = undefined;
        if (changed) scheduler.obey(link.items());
        counting ??= link.estimate(signal).finally(() => {
          counting = undefined;
        });
        waker.wake();
      });
    }
    // Once a minute at least, which is often enough, and so wakes nobody for this alone.
    watched.alive();
    const waitMs = scheduler.look();
    if (waitMs >= longMs) giveBack?.();
    await waker.sleep(waitMs);
  }
  watched.stopping();
  process.off("SIGHUP", askNow);
  await Promise.all([asking, counting, scheduler.stop()]);
}

/** Why a backup that is to wait for mains, or for a line that is not metered, waits now. `supplies`: a test's. */
async function obstacleTo(
  { skipOnBattery, skipOnMetered }: ItemDefinition,
  signal: AbortSignal,
  supplies: string | undefined,
): Promise<string | undefined> {
  if (skipOnBattery === true && runsOnBattery(supplies)) return "the machine runs on its battery";
  return skipOnMetered === true && (await lineIsMetered(signal))
    ? "the machine's line is metered"
    : undefined;
}

/** Does what a backup that was killed left to do. One that runs does it itself; what fails is tried again. */
async function sweepHooks({ output, ...context }: CommandContext, state: string): Promise<void> {
  try {
    const lock = lockState(state);
    try {
      await HookedRun.sweep(hookPort({ ...context, output }, state));
    } finally {
      lock.release();
    }
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    if (error.code !== ErrorCode.busy) output.warn(error.message);
  }
}

/** The wall's clock; `begins` (a test's): as if the program had been started then. @throws HoldfastError usage */
function wallClock(begins: string | undefined, nowMs: () => number): () => number {
  if (begins === undefined) return () => Date.now();
  const aheadMs = Date.parse(begins) - nowMs();
  if (Number.isNaN(aheadMs)) throw new HoldfastError(ErrorCode.usage, `--clock ${begins} is no time`);
  return () => aheadMs + nowMs();
}

/** Sleeps until the time is over, or somebody wakes it; who wakes it before it sleeps is heard as well. */
class Waker {
  #woken = false;
  #wake: (() => void) | undefined;

  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async sleep(ms: number): Promise<void> {
    if (!this.#woken) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, Math.min(ms, lookMs));
      await promise;
      clearTimeout(timer);
      this.#wake = undefined;
    }
    this.#woken = false;
  }
}

/** "backup-done home: due ..., snapshot ..." */
function lineOf(event: string, { item, ...facts }: Readonly<Record<string, unknown>>): string {
  const said = Object.entries(facts).map(
    ([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [
    `${event}${item === undefined ? "" : ` ${String(item)}`}`,
    ...(said.length > 0 ? [said.join(", ")] : []),
  ].join(": ");
}
