// Where the journey of boxes happens (seedingJourney.test.ts): a customer's LAN with two agents, a slow line, a datacentre, and places for
// boxes, as network namespaces with real processes in them; and what is done there again and again.

import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../fidelity/random.ts";
import { LiveFiles } from "./liveFiles.ts";
import { connectPlaces, inPlace, type Line, makePlace } from "./namespaces.ts";
import {
  eventsOf,
  holdfast,
  listening,
  type Program,
  type Ran,
  type RunOptions,
  startGateway,
} from "./program.ts";
import { describeTree } from "./sourceTree.ts";
import { Wan } from "./wan.ts";

const KiB = 1024;
const port = 7440;
const delayMs = 20;
export const bytesPerSecond = 10_000_000 / 8;

export type Agent = {
  readonly name: string;
  readonly state: string;
  readonly source: string;
  readonly live: LiveFiles;
};
export type Saved = {
  readonly agent: Agent;
  readonly snapshot: string;
  /** What its source was, but for what changed meanwhile. */
  readonly tree: Map<string, string>;
  readonly incomplete: boolean;
};
/** Where a box stands at the customer's. */
export type Stand = { readonly place: string; readonly url: string; readonly pull: () => void };

/** The last event of `--json`. */
export function last(ran: Ran): Readonly<Record<string, unknown>> {
  return eventsOf(ran).at(-1)!;
}

export class JourneySite {
  readonly scratch: string;
  readonly lan = makePlace("lan");
  readonly datacentre = makePlace("dc");
  readonly line: Line;
  readonly wan: Wan;
  /** Of the datacentre's gateway, as an option. */
  readonly data: readonly [string, string];
  /** Of all boxes, as an option. */
  readonly passphrase: readonly [string, string];
  readonly saved: Saved[] = [];
  readonly #random: Random;
  readonly #publicUrl: string;
  #stands = 0;
  #day = 0;

  private constructor(scratch: string, random: Random) {
    this.scratch = scratch;
    this.#random = random;
    this.line = connectPlaces(this.lan, this.datacentre, 0);
    const { near, far } = this.line;
    const rate = [String(bytesPerSecond), String(delayMs)];
    this.wan = new Wan(this.lan, near, String(port), far, String(port), ...rate);
    // The datacentre, as the LAN sees it: at the near end of the slow line.
    this.#publicUrl = `https://${near}:${port}`;
    this.data = ["--data", join(scratch, "data")];
    this.passphrase = ["--passphrase-file", join(scratch, "passphrase")];
  }

  /** With an account, and two agents that are enrolled; and the datacentre's gateway. */
  static async create(
    scratch: string,
    random: Random,
  ): Promise<{ site: JourneySite; gateway: Program; agents: readonly [Agent, Agent] }> {
    const site = new JourneySite(scratch, random);
    await site.wan.ready();
    const { gateway, fingerprint } = await site.#datacentre();
    // Some of their files are alike.
    const alike = random.bytes(1500 * KiB);
    const agents = ["one", "two"].map((name) => site.#agent(name, alike)) as [Agent, Agent];
    await Promise.all(agents.map((agent) => site.#enroll(agent, fingerprint)));
    return { site, gateway, agents };
  }

  async #datacentre(): Promise<{ gateway: Program; fingerprint: string }> {
    writeFileSync(join(this.scratch, "password"), "correct horse battery staple\n", { mode: 0o600 });
    writeFileSync(this.passphrase[1], "six words by dice make it\n", { mode: 0o600 });
    const made = await this.run(
      this.datacentre,
      ...["gateway", "init", ...this.data, "--listen", `${this.line.far}:${port}`],
      ...["--recovery-key-file", join(this.scratch, "grk")],
    );
    const config = join(this.data[1], "config.toml");
    writeFileSync(
      config,
      readFileSync(config, "utf8")
        .replace(/^public-url.*/m, `public-url = "${this.#publicUrl}"`)
        .replace(/^reserve-mib = .*$/m, "reserve-mib = 0"),
    );
    await this.run(
      this.datacentre,
      ...["account", "add", "alice", ...this.data, "--password-file", join(this.scratch, "password")],
      ...["--recovery-key-file", join(this.scratch, "rk"), "--kdf-iterations", "210000"],
    );
    const gateway = await this.serve(this.datacentre, this.data);
    return { gateway, fingerprint: /SHA256:[0-9A-Fa-f]{64}/.exec(made.stdout)![0] };
  }

  #agent(name: string, alike: Buffer): Agent {
    const source = join(this.scratch, `source-${name}`);
    for (let n = 0; n < 60; n++) {
      const folder = join(source, `d${n % 5}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `f${n}`), this.#random.bytes(this.#random.below(60 * KiB)));
    }
    writeFileSync(join(source, "d1", "alike"), alike);
    writeFileSync(join(source, "large"), this.#random.bytes(5000 * KiB));
    const live = new LiveFiles(join(source, "live"), join(this.scratch, `beside-${name}`));
    return { name, state: join(this.scratch, `state-${name}`), source, live };
  }

  async #enroll({ name, state }: Agent, fingerprint: string): Promise<void> {
    await this.run(
      this.lan,
      ...["agent", "enroll", this.#publicUrl, "--account", "alice", "--fingerprint", fingerprint],
      ...["--password-file", join(this.scratch, "password"), "--device", name, "--state", state],
    );
  }

  /** Runs a command in a place; it must succeed, or end with one of these. */
  run(place: string, ...args: readonly (string | readonly number[])[]): Promise<Ran> {
    const statuses = args.find((each) => typeof each !== "string") ?? [0];
    const words = args.filter((each) => typeof each === "string");
    return holdfast(words, { ...this.#inside(place), statuses: statuses as readonly number[] });
  }

  #inside(place: string): RunOptions {
    return { under: inPlace(place) };
  }

  /** Starts a gateway in a place, and waits until it listens. */
  async serve(place: string, args: readonly string[]): Promise<Program> {
    const gateway = startGateway(args, this.#inside(place));
    await listening(gateway);
    return gateway;
  }

  /** A place for a box, with a cable to the LAN. */
  stand(): Stand {
    const number = ++this.#stands;
    const place = makePlace(`box${number}`);
    const { far, pull } = connectPlaces(this.lan, place, number);
    return { place, url: `https://${far}:${port}`, pull };
  }

  /** What a command that makes a box for a stand is told. */
  madeFor({ url }: Stand): string[] {
    return [...this.passphrase, "--listen", url.slice(8), "--url", url, "--kdf-iterations", "210000"];
  }

  /** Some small changes, and so many KiB that are new. */
  change({ source }: Agent, newKiB: number): void {
    const day = ++this.#day;
    writeFileSync(join(source, `d${day % 5}`, `new${day}`), this.#random.bytes(newKiB * KiB));
    appendFileSync(join(source, `d${day % 5}`, `f${day % 5}`), `day ${day}\n`);
    rmSync(join(source, `d${(day + 1) % 5}`, `f${50 + ((day + 1) % 5)}`), { force: true });
  }

  /** Backs an agent's source up, while some of its files change. Bytes that were sent. */
  async backUp(agent: Agent, ...more: string[]): Promise<number> {
    const tree = stillTree(agent.source);
    const command = ["agent", "backup", agent.source, "--state", agent.state, "--json", ...more];
    // 3: what changed while it was read is told.
    const ran = await agent.live.during(() => this.run(this.lan, ...command, [0, 3]));
    for (const { event, path } of eventsOf(ran)) {
      if (event === "warning" && !String(path).includes("/live")) throw new Error(ran.stdout);
    }
    const done = last(ran);
    this.saved.push({ agent, snapshot: String(done.snapshot), tree, incomplete: done.incomplete === true });
    return Number(done.sent_bytes);
  }

  /** Where a snapshot is restored. */
  targetOf({ snapshot }: Saved): string {
    return join(this.scratch, `restored-${snapshot}`);
  }
}

/** What a folder holds, but for what changes all the time. */
export function stillTree(folder: string): Map<string, string> {
  return new Map([...describeTree(folder)].filter(([path]) => path !== "live" && !path.startsWith("live/")));
}
