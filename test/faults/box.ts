// A box of a site, as the customer and the technician use it: prepared by the site's gateway, run, sealed.

import { writeFileSync } from "node:fs";
import { freePort } from "../bench/peers/ports.ts";
import {
  eventsOf,
  holdfast,
  listening,
  type Program,
  type Ran,
  type RunOptions,
  type Site,
  setReserve,
  startGateway,
} from "./program.ts";
import { Questions } from "./questions.ts";

export type BoxOptions = {
  /** HOST:PORT at which it listens; a free port of the loopback interface. */
  readonly listen?: string;
  /** Where agents look for it, when not there. */
  readonly url?: string;
  /** Where it finds the datacentre; nowhere. */
  readonly datacentreUrl?: string;
  readonly reserveMiB?: number;
};

export class Box {
  readonly directory: string;
  readonly url: string;
  readonly number: number;
  /** `--data` and the passphrase. */
  readonly options: readonly string[];
  readonly #passphrase: string;
  readonly #made: Ran;
  readonly #fingerprint: string;
  #gateway: Program | undefined;

  /** `passphrase`: the file that it is in. */
  private constructor(directory: string, passphrase: string, made: Ran) {
    const done = eventsOf(made).at(-1) as { box: number; urls: [string]; fingerprint: string };
    this.directory = directory;
    this.options = ["--data", directory, "--passphrase-file", passphrase];
    this.number = done.box;
    this.url = done.urls[0];
    this.#passphrase = passphrase;
    this.#made = made;
    this.#fingerprint = done.fingerprint;
  }

  /** Makes a box for the site's account in a directory that is empty, or is not there. */
  static async prepare(site: Site, directory: string, options: BoxOptions = {}): Promise<Box> {
    const passphrase = `${directory}.passphrase`;
    writeFileSync(passphrase, "six words by dice make it\n", { mode: 0o600 });
    const listen = options.listen ?? `127.0.0.1:${await freePort()}`;
    const made = await holdfast([
      ...["seed", "prepare", directory, "--data", site.data, "--account", "alice", "--json"],
      ...["--passphrase-file", passphrase, "--listen", listen, "--url", options.url ?? `https://${listen}`],
      ...(options.datacentreUrl === undefined ? [] : ["--datacentre-url", options.datacentreUrl]),
      ...["--kdf-iterations", "210000"],
    ]);
    setReserve(directory, options.reserveMiB ?? 0);
    return new Box(directory, passphrase, made);
  }

  /** The same box with a copy of its directory. */
  with(directory: string): Box {
    return new Box(directory, this.#passphrase, this.#made);
  }

  /** Its process. */
  get gateway(): Program {
    if (this.#gateway === undefined) throw new Error("the box was never started");
    return this.#gateway;
  }

  /** Starts it and waits until it listens. */
  async start(options: RunOptions = {}): Promise<void> {
    this.#gateway = startGateway(this.options, options);
    await listening(this.#gateway);
  }

  async stop(): Promise<void> {
    const { status, stderr } = await this.gateway.end("SIGTERM");
    if (status !== 0) throw new Error(`the box ended with status ${status}:\n${stderr}`);
  }

  seal(...more: readonly string[]): Promise<Ran> {
    return holdfast(["seed", "seal", ...this.options, "--json", ...more]);
  }

  /** What it has of the device whose agent's state this is. */
  questions(state: string): Questions {
    return new Questions(state, { url: this.url, fingerprint: this.#fingerprint });
  }
}
