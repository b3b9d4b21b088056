// A gateway on a disk that can be made to fail, with an agent and a replica, and the troubles that chaos.test.ts makes for them.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { Random } from "../fidelity/random.ts";
import { readAcks } from "./ackLog.ts";
import { FaultyDisk } from "./faultyDisk.ts";
import { fillDisk } from "./loopDisk.ts";
import { randomMoment } from "./moment.ts";
import { type Done, holdfast, Program, type Ran, Site } from "./program.ts";

const MiB = 2 ** 20;

/** What may happen to a backup that is under way; `gc` and `replica`: something else is under way too, and the gateway is killed. */
export const troubles = [
  "kill agent",
  "kill gateway",
  "kill both",
  "kill gateway while it starts",
  "kill gateway while it collects",
  "kill gateway while it replicates",
  "stop agent",
  "stop gateway",
  "full disk",
  "slow disk",
  "disk errors",
] as const;
export type Trouble = (typeof troubles)[number];

/** Packs are small, so that there is something to close, replicate and collect. */
const smallPacks = { preload: ["packTarget.ts"], environment: { HOLDFAST_TEST_PACK_BYTES: "1000000" } };

export class ChaosSite {
  readonly site: Site;
  readonly disk: FaultyDisk;
  readonly source: string;
  readonly acksPath: string;
  readonly #random: Random;
  #usualMs = 2000;
  /** What was done, and what came of it. */
  readonly figures = { kills: 0, stops: 0, full: 0, slow: 0, errors: 0, unfinished: 0, refusedStarts: 0 };

  private constructor(site: Site, disk: FaultyDisk, scratch: string, random: Random) {
    this.site = site;
    this.disk = disk;
    this.source = join(scratch, "source");
    this.acksPath = join(scratch, "acks");
    this.#random = random;
  }

  static async create(scratch: string, random: Random): Promise<ChaosSite> {
    const disk = await FaultyDisk.create(join(scratch, "faulty"), 1024, "journal");
    const site = await Site.create(join(scratch, "site"), { data: join(disk.folder, "data") });
    const data = ["--data", site.data];
    // All that changes is noise, which the guard is there for.
    await holdfast(["guard", "set", "alice", "--off", ...data]);
    await holdfast(["retention", "set", "alice", "--last", "8", "--trash", "0s", ...data]);
    await holdfast(["replica", "add", "disk", pathToFileURL(join(scratch, "replica")).href, ...data]);
    await site.stop();
    await site.start(smallPacks);
    return new ChaosSite(site, disk, scratch, random);
  }

  get #recording() {
    return { preload: ["recordAcks.ts"], environment: { HOLDFAST_TEST_ACKS: this.acksPath } };
  }

  /** A backup that must work. */
  async backup(): Promise<Done> {
    const began = performance.now();
    const done = await this.site.backup([this.source], this.#recording);
    this.#usualMs = Math.ceil(performance.now() - began);
    return done;
  }

  gateway(...words: string[]): Promise<Ran> {
    return holdfast(["gateway", ...words, "--data", this.site.data, "--json"]);
  }

  replica(word: "run" | "verify"): Promise<Ran> {
    return holdfast(["replica", word, "disk", "--data", this.site.data, "--json"]);
  }

  /** Makes trouble at a random moment of a backup, and ends it: afterwards the gateway runs on a disk that is well, and no agent does. */
  async trouble(trouble: Trouble): Promise<void> {
    const linesBefore = readAcks(this.acksPath).length;
    const agent = this.site.agent(["backup", this.source, "--json"], this.#recording);
    try {
      await randomMoment(agent, this.#random, { path: this.acksPath, linesBefore }, this.#usualMs);
      await this.#make(trouble, agent);
    } catch (error) {
      const log = this.site.gateway.stderr.split("\n").filter((line) => /"level":[56]0/.test(line));
      throw new Error(`${trouble}: ${(error as Error).message}\n${log.slice(-5).join("\n")}`, {
        cause: error,
      });
    }
    const acks = readAcks(this.acksPath).slice(linesBefore);
    if (!acks.some(({ event }) => event === "committed")) this.figures.unfinished++;
  }

  async #make(trouble: Trouble, agent: Program): Promise<void> {
    switch (trouble) {
      case "kill agent":
        await this.#kill(agent);
        // The next ones go on with what it left.
        for (let n = this.#random.below(3); n > 0; n--) {
          const next = this.site.agent(["backup", this.source, "--json"], this.#recording);
          await sleep(200 + this.#random.below(this.#usualMs));
          await this.#kill(next);
        }
        return;
      case "kill gateway":
        await this.#kill(this.site.gateway);
        await this.#start();
        return await goesOn(agent);
      case "kill both":
        await this.#kill(this.site.gateway);
        await this.#kill(agent);
        return await this.#start();
      case "kill gateway while it starts": {
        await this.#kill(this.site.gateway);
        for (let n = 1 + this.#random.below(4); n > 0; n--) {
          const starting = new Program(["gateway", "run", "--data", this.site.data], smallPacks);
          await sleep(200 + this.#random.below(this.#usualMs));
          await this.#kill(starting);
        }
        await this.#start();
        return await goesOn(agent);
      }
      case "kill gateway while it collects":
        await this.gateway("prune");
        return await this.#killAmid(["gateway", "gc"], agent);
      case "kill gateway while it replicates":
        return await this.#killAmid(["replica", "run", "disk"], agent);
      case "stop agent":
        return await this.#pause(agent, agent);
      case "stop gateway":
        return await this.#pause(this.site.gateway, agent);
      case "full disk":
        return await this.#fullDisk(agent);
      case "slow disk":
        this.figures.slow++;
        await this.disk.pace({ bytes: 4 * MiB, requests: 150 });
        await goesOn(agent);
        return await this.disk.pace({ bytes: 0, requests: 0 });
      case "disk errors":
        return await this.#diskErrors(agent);
    }
  }

  async #kill(program: Program): Promise<void> {
    if (program.running) this.figures.kills++;
    await program.end("SIGKILL");
  }

  #start(): Promise<void> {
    return this.site.start(smallPacks);
  }

  async #killAmid(words: readonly string[], agent: Program): Promise<void> {
    const work = new Program([...words, "--data", this.site.data, "--json"]);
    // Most of the time is the command's own start.
    await Promise.race([sleep(200 + this.#random.below(this.#usualMs)), work.ended]);
    await this.#kill(this.site.gateway);
    // Who asked for it may be killed as well; else it says what happened.
    if (this.#random.below(2) === 0) await this.#kill(work);
    await work.ended;
    await this.#start();
    await goesOn(agent);
  }

  async #pause(victim: Program, agent: Program): Promise<void> {
    this.figures.stops++;
    victim.child.kill("SIGSTOP");
    await sleep(this.#random.below(2500));
    victim.child.kill("SIGCONT");
    await goesOn(agent);
  }

  async #fullDisk(agent: Program): Promise<void> {
    this.figures.full++;
    const filler = fillDisk(this.disk.folder, this.#random.below(3 * MiB));
    await endsWith(agent, "disk-full");
    if (this.#random.below(2) === 0) {
      await this.#kill(this.site.gateway);
      // It may find no room for what a start writes; it loses nothing by that.
      await this.#start().catch(() => this.figures.refusedStarts++);
    }
    rmSync(filler);
    if (!this.site.gateway.running) await this.#start();
  }

  async #diskErrors(agent: Program): Promise<void> {
    this.figures.errors++;
    const kinds = [["write"], ["flush"], ["write", "flush", "read"]] as const;
    await this.disk.fail(...kinds[this.#random.below(kinds.length)]!.map((kind) => ({ kind })));
    await sleep(this.#random.below(600));
    if (this.#random.below(3) === 0) await this.#kill(agent);
    // An ext4 whose journal met an error takes nothing any more. So the backup ends, if it was not over, or the gateway does.
    const { gateway } = this.site;
    await Promise.race([agent.ended, gateway.ended]);
    if (!agent.running && agent.child.signalCode === null) await endsWith(agent, "io-error");
    if (gateway.running) await this.#kill(gateway);
    this.disk.unmount();
    await this.disk.well();
    this.disk.mount();
    await this.#start();
    if (agent.running) await goesOn(agent);
  }
}

/** An agent that is not killed goes on by itself. */
async function goesOn(agent: Program): Promise<void> {
  const { status, stderr } = await agent.ended;
  if (status !== 0) throw new Error(`the backup ended with status ${status}:\n${stderr}`);
}

/** It ends well, or with this error. */
async function endsWith(agent: Program, code: string): Promise<void> {
  const { status, stdout, stderr } = await agent.ended;
  if (status === 0 || (status === 1 && stdout.includes(`"code":"${code}"`))) return;
  throw new Error(`the backup ended with status ${status}:\n${stdout}\n${stderr}`);
}
