// One run: steps in an order that a seed decides, several of them under way at once, and the invariants after each.
//
// What the seed decides: which steps, by whom, with which records, how many turns of the event loop pass between them, when garbage collection
// goes on, and what a power cut leaves. What it does not: how long the disk takes for a step that is under way.

import { join } from "node:path";
import { type Random, randomFrom } from "../fidelity/random.ts";
import type { GcClock } from "../gateway/maintenance/gc/gcFixture.ts";
import { Agents } from "./agents.ts";
import { checkBytes, checkNoLeak, checkNow, demand, Violation } from "./invariants.ts";
import { Model, type Node } from "./model.ts";
import { Operator } from "./operator.ts";
import { Reports } from "./reports.ts";
import { type Origin, Site } from "./site.ts";

const dayMs = 86_400_000;
/** Steps that are under way at once, at most. */
const tasksMax = 5;
/** A step that has not ended after so long never will. */
const stuckMs = 60_000;

export type Wanted = {
  readonly seed: number;
  readonly steps: number;
  /** A folder of its own, which is there no more afterwards. */
  readonly folder: string;
  readonly origin: Origin;
  readonly clock: GcClock;
};

type Step = {
  readonly name: string;
  readonly weight: number;
  readonly alone?: true;
  readonly run: () => Promise<void> | void;
};

type Task = { readonly name: string; readonly done: Promise<unknown>; ended: boolean };

/** What it throws, a Violation or what the gateway threw, names the seed and the last steps. */
export async function simulate(wanted: Wanted): Promise<void> {
  const simulation = await Simulation.create(wanted);
  try {
    await simulation.run(wanted.steps);
  } catch (error) {
    const { seed, steps } = wanted;
    const how = `HOLDFAST_SEED=${seed} HOLDFAST_SIM_STEPS=${steps}`;
    const { trace, notes } = simulation;
    const last = `step ${trace.length}: ${trace.slice(-30).join(" ")}\n${notes.slice(-100).join(" ")}`;
    const message = `${(error as Error).message}\n${how}\n${last}`;
    throw error instanceof Violation
      ? new Violation(message, { cause: error })
      : new Error(message, { cause: error });
  } finally {
    await simulation.site.remove();
  }
}

class Simulation {
  readonly site: Site;
  readonly trace: string[] = [];
  readonly #random: Random;
  readonly #clock: GcClock;
  readonly #model = new Model();
  readonly #agents: Agents;
  readonly #reports: Reports;
  readonly #operator: Operator;
  #tasks: Task[] = [];
  #collecting: Promise<unknown> | undefined;
  #failure: unknown;

  get notes(): readonly string[] {
    return this.#model.notes;
  }

  private constructor(site: Site, random: Random, clock: GcClock) {
    this.site = site;
    this.#random = random;
    this.#clock = clock;
    this.#agents = new Agents(site, this.#model, random);
    this.#reports = new Reports(site, this.#model, random, this.#agents);
    site.cycleBegan = () => this.#model.cycleBegan();
    this.#operator = new Operator(site, this.#model, random);
  }

  static async create({ seed, folder, origin, clock }: Wanted): Promise<Simulation> {
    return new Simulation(await Site.create(join(folder, `${seed}`), origin, clock), randomFrom(seed), clock);
  }

  /** By weight. Those that answer a promise go on beside what follows; `alone`: the others wait for it. */
  readonly #steps: readonly Step[] = [
    { name: "put", weight: 12, run: () => this.#agents.put() },
    { name: "put-together", weight: 4, run: () => this.#agents.putTogether() },
    { name: "put-again", weight: 6, run: () => this.#agents.putAgain() },
    { name: "page", weight: 12, run: () => this.#agents.page() },
    { name: "have", weight: 9, run: () => this.#agents.have() },
    { name: "commit", weight: 12, run: () => this.#agents.commit() },
    { name: "commit-stale", weight: 2, run: () => this.#agents.commitStale() },
    { name: "begin", weight: 4, run: () => void this.#agents.begin() },
    { name: "end", weight: 5, run: () => this.#agents.end() },
    { name: "report", weight: 4, run: async () => void (await this.#reports.report()) },
    { name: "pose", weight: 2, run: () => this.#reports.pose() },
    { name: "read", weight: 5, run: () => this.#read() },
    { name: "trash", weight: 6, alone: true, run: () => this.#operator.trash() },
    { name: "prune", weight: 2, alone: true, run: () => this.#operator.prune() },
    { name: "undelete", weight: 1, alone: true, run: () => this.#operator.undelete() },
    { name: "pin", weight: 1, alone: true, run: () => this.#operator.pin() },
    { name: "days", weight: 4, run: () => this.#pass(10 * dayMs) },
    { name: "gc", weight: 9, run: () => this.#collect() },
    { name: "gc-on", weight: 25, run: () => this.#collectOn() },
    { name: "flush", weight: 3, run: () => this.site.vault.store.flush(() => undefined) },
    { name: "close-packs", weight: 3, run: () => this.site.vault.store.closeOpenPacks() },
    { name: "replicate", weight: 2, run: () => this.#operator.replicate() },
    { name: "evict", weight: 4, run: () => this.#operator.evict() },
    { name: "fetch", weight: 2, run: () => this.#operator.fetch() },
    { name: "bytes", weight: 3, run: () => checkBytes(this.site, this.#model) },
    { name: "restart", weight: 1, alone: true, run: () => this.#restart() },
    { name: "crash", weight: 4, alone: true, run: () => this.#crash() },
  ];

  async run(steps: number): Promise<void> {
    for (let n = 0; n < steps; n++) {
      const step = this.#draw();
      this.trace.push(step.name);
      const done = step.run();
      if (done instanceof Promise) {
        const task = this.#begin(step.name, done);
        if (step.alone === true) await this.#until(task);
      }
      for (let turns = this.#random.below(8); turns > 0; turns--) await turn();
      while (this.#tasks.length > tasksMax || (this.#tasks.length > 0 && this.#random.below(3) === 0)) {
        await this.#until(this.#tasks[this.#random.below(this.#tasks.length)] as Task);
      }
      await this.#check();
    }
    await this.#finish();
  }

  #draw(): Step {
    let left = this.#random.below(this.#steps.reduce((sum, { weight }) => sum + weight, 0));
    for (const step of this.#steps) {
      if (left < step.weight) return step;
      left -= step.weight;
    }
    throw new Error("weights");
  }

  #pass(ms: number): void {
    this.#clock.nowMs += ms;
  }

  async #check(): Promise<void> {
    // What was answered in this turn has come to who asked.
    await turn();
    if (this.#failure !== undefined) throw this.#failure;
    checkNow(this.site, this.#model);
  }

  #begin(name: string, done: Promise<unknown>): Task {
    const task: Task = { name, ended: false, done };
    const end = (): void => {
      task.ended = true;
      this.#tasks = this.#tasks.filter((each) => each !== task);
    };
    done.then(end, (error: unknown) => {
      end();
      this.#failure ??= error;
    });
    this.#tasks.push(task);
    return task;
  }

  /** Waits for a step; what waits at the gates may be what it waits for. */
  async #until(task: Task): Promise<void> {
    const sinceMs = performance.now();
    while (!task.ended) {
      if (this.site.gates.size > 0) this.site.gates.pass(this.#random);
      await turn();
      if (!task.ended && this.site.gates.size === 0) {
        await Promise.race([
          task.done.catch(() => undefined),
          new Promise((resolve) => setTimeout(resolve, 2)),
        ]);
      }
      demand(performance.now() - sinceMs < stuckMs, `${task.name} does not end`);
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  async #idle(): Promise<void> {
    for (let task = this.#tasks[0]; task !== undefined; task = this.#tasks[0]) await this.#until(task);
    await this.#check();
  }

  #collect(): void {
    if (this.#collecting !== undefined) return;
    const { process } = this.site;
    const below = (limit: number): number => this.#random.below(limit);
    const how = { dryRun: below(12) === 0, evicted: below(3) === 0, bytes: below(3) === 0 ? 3000 : 1e9 };
    if (!how.dryRun) this.#model.leaveMs = this.#clock.nowMs;
    const run = this.site.collect(how).then(
      () => undefined,
      (error: unknown) => {
        if (this.site.process === process) this.#failure ??= error;
      },
    );
    this.#collecting = run;
    void run.then(() => {
      if (this.#collecting === run) this.#collecting = undefined;
    });
  }

  async #collectOn(): Promise<void> {
    const { gates } = this.site;
    for (let n = this.#random.below(5) + 1; n > 0; n--) {
      if (gates.size > 0) gates.pass(this.#random);
      await turn();
    }
  }

  /** A slow reader of whatever is needed. */
  async #read(): Promise<void> {
    const { vault, group, process, gates } = this.site;
    const nodes = [...this.#model.mustLive()];
    let at = 0;
    for await (const outcome of vault.read(group, Buffer.concat(nodes.map(({ id }) => id)))) {
      if (this.site.process !== process) return;
      const node = nodes[at++] as Node;
      if (!Buffer.isBuffer(outcome)) {
        const needed = this.#model.mustLive().has(node);
        demand(!needed, `record ${node.number} is needed and read as ${outcome?.code ?? "nothing"}`);
      }
      if (this.#random.below(3) === 0) await gates.wait();
    }
  }

  async #restart(): Promise<void> {
    for (const task of [...this.#tasks]) if (task.name !== "restart") await this.#until(task);
    await this.site.restart();
    await this.#collecting;
    this.#model.restarted();
  }

  async #crash(): Promise<void> {
    await this.site.crash(this.#random);
    await this.#collecting;
    this.#model.restarted();
    await this.#check();
    await checkBytes(this.site, this.#model);
  }

  async #finish(): Promise<void> {
    this.trace.push("finish");
    await this.#idle();
    while (this.#collecting !== undefined) {
      await this.#collectOn();
      if (this.site.gates.size === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await this.#check();
    await checkBytes(this.site, this.#model);
    await this.#until(this.#begin("replicate", this.#operator.replicate()));
    this.site.gates.open();
    for (const { session } of this.#model.leases.values()) this.site.vault.catalog.leases.end(session);
    this.#model.leases.clear();
    await this.site.fixture.gateway.guard.settled();
    this.#pass(100 * dayMs);
    for (let left = true; left; ) {
      this.#model.leaveMs = this.#clock.nowMs;
      const done = await this.site.collect({ dryRun: false, evicted: true, bytes: 1e9 });
      demand(done !== undefined, "nothing may go");
      left = done.records + done.removed.packs + done.repacked.packs > 0;
    }
    await this.#check();
    await checkBytes(this.site, this.#model);
    await checkNoLeak(this.site, this.#model);
    await this.#until(this.#begin("replicate", this.#operator.replicate()));
    const request = { readShare: 1, limit: "" };
    const watch = { onProgress: () => undefined, signal: new AbortController().signal };
    const [check] = (await this.site.fixture.administration.check(request, watch)).vaults;
    demand(check?.problems.length === 0, `a check finds ${JSON.stringify(check?.problems)}`);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
