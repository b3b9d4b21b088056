// The whole journey of two boxes: a customer's LAN with two agents and a box for each, a line of 10 Mbit/s with 20 ms each way, and the
// datacentre, as network namespaces with real processes in them. Every snapshot is restored in the end and is what its source was then.

import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { connectPlaces, inPlace, makePlace } from "./namespaces.ts";
import { eventsOf, holdfast, Program, type Ran, type RunOptions } from "./program.ts";
import { canRun } from "./requirements.ts";
import { describeTree } from "./sourceTree.ts";
import { tearDownAll } from "./tearDown.ts";
import { Wan } from "./wan.ts";

const KiB = 1024;
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const random = randomFrom(seed);
const port = 7440;
const bytesPerSecond = 10_000_000 / 8;
const delayMs = 20;
/** What a backup may send besides what changed: pages of directories, questions, handshakes. */
const besidesBytes = 400 * KiB;

type Agent = { readonly name: string; readonly state: string; readonly source: string };
type Saved = {
  readonly agent: Agent;
  readonly snapshot: string;
  readonly tree: Map<string, string>;
  readonly incomplete: boolean;
};

describe.skipIf(!canRun("the journey of boxes", "ip"))("seeding by boxes", () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-journey-"));
  afterAll(() => {
    tearDownAll();
    rmSync(scratch, { recursive: true, force: true });
  });

  it(`from LAN to datacentre (seed ${seed})`, { timeout: 300_000 }, async () => {
    const [lan, datacentre, ...sites] = ["lan", "dc", "box1", "box2"].map(makePlace) as [
      string,
      string,
      string,
      string,
    ];
    const line = connectPlaces(lan, datacentre, 0);
    const cables = sites.map((site, i) => connectPlaces(lan, site, i + 1));
    const data = join(scratch, "data");
    const dataOption = ["--data", data] as const;
    const inside = (place: string, environment: Record<string, string> = {}): RunOptions => ({
      under: inPlace(place),
      environment,
    });
    const run = (place: string, ...args: string[]): Promise<Ran> => holdfast(args, inside(place));
    const serve = async (place: string, directory: string, environment = {}): Promise<Program> => {
      const gateway = new Program(
        ["gateway", "run", "--data", directory, "--json"],
        inside(place, environment),
      );
      while (!gateway.stdout.includes('"listening"')) {
        if (!gateway.running) throw new Error(`the gateway did not start:\n${(await gateway.ended).stderr}`);
        await sleep(30);
      }
      return gateway;
    };
    const last = (ran: Ran): Record<string, unknown> => eventsOf(ran).at(-1)!;

    // The datacentre, as the LAN sees it: at the near end of the slow line.
    const publicUrl = `https://${line.near}:${port}`;
    const wan = new Wan(
      lan,
      line.near,
      String(port),
      line.far,
      String(port),
      String(bytesPerSecond),
      String(delayMs),
    );
    await wan.ready();
    const password = join(scratch, "password");
    const passphrase = join(scratch, "passphrase");
    writeFileSync(password, "correct horse battery staple\n", { mode: 0o600 });
    writeFileSync(passphrase, "six words by dice make it\n", { mode: 0o600 });
    const made = await run(
      datacentre,
      "gateway",
      "init",
      ...dataOption,
      "--listen",
      `${line.far}:${port}`,
      "--recovery-key-file",
      join(scratch, "grk"),
    );
    const fingerprint = /SHA256:[0-9A-Fa-f]{64}/.exec(made.stdout)![0];
    const config = join(data, "config.toml");
    writeFileSync(
      config,
      readFileSync(config, "utf8")
        .replace(/^public-url.*/m, `public-url = "${publicUrl}"`)
        .replace(/^reserve-mib = .*$/m, "reserve-mib = 0"),
    );
    await run(
      datacentre,
      "account",
      "add",
      "alice",
      ...dataOption,
      "--password-file",
      password,
      "--recovery-key-file",
      join(scratch, "rk"),
      "--kdf-iterations",
      "210000",
    );
    const gateway = await serve(datacentre, data);

    // Two agents with some of their files alike.
    const alike = random.bytes(1500 * KiB);
    const agents = ["one", "two"].map((name): Agent => {
      const agent = { name, state: join(scratch, `state-${name}`), source: join(scratch, `source-${name}`) };
      for (let n = 0; n < 60; n++) {
        const folder = join(agent.source, `d${n % 5}`);
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, `f${n}`), random.bytes(random.below(60 * KiB)));
      }
      writeFileSync(join(agent.source, "d1", "alike"), alike);
      writeFileSync(join(agent.source, "large"), random.bytes(5000 * KiB));
      return agent;
    }) as [Agent, Agent];
    const [one, two] = agents;
    await Promise.all(
      agents.map(({ name, state }) =>
        run(
          lan,
          "agent",
          "enroll",
          publicUrl,
          "--account",
          "alice",
          "--password-file",
          password,
          "--fingerprint",
          fingerprint,
          "--device",
          name,
          "--state",
          state,
        ),
      ),
    );

    /** Some small changes, and so many KiB that are new. */
    let day = 0;
    const change = ({ source }: Agent, newKiB: number): void => {
      day++;
      writeFileSync(join(source, `d${day % 5}`, `new${day}`), random.bytes(newKiB * KiB));
      appendFileSync(join(source, `d${day % 5}`, `f${day % 5}`), `day ${day}\n`);
      rmSync(join(source, `d${(day + 1) % 5}`, `f${50 + ((day + 1) % 5)}`), { force: true });
    };
    const saved: Saved[] = [];
    const backUp = async (agent: Agent, ...more: string[]): Promise<number> => {
      const tree = describeTree(agent.source);
      const done = last(
        await run(lan, "agent", "backup", agent.source, "--state", agent.state, "--json", ...more),
      );
      saved.push({ agent, snapshot: String(done.snapshot), tree, incomplete: done.incomplete === true });
      return Number(done.sent_bytes);
    };

    const boxes = sites.map((place, i) => ({
      place,
      url: `https://${cables[i]!.far}:${port}`,
      directory: join(scratch, `box${i + 1}`),
      pull: cables[i]!.pull,
    }));
    for (const [i, { directory, url }] of boxes.entries()) {
      await run(
        datacentre,
        "seed",
        "prepare",
        directory,
        ...dataOption,
        "--account",
        "alice",
        "--device",
        agents[i]!.name,
        "--passphrase-file",
        passphrase,
        "--listen",
        url.slice(8),
        "--url",
        url,
        "--kdf-iterations",
        "210000",
      );
    }
    const environment = { HOLDFAST_PASSPHRASE: "six words by dice make it" };
    const running = await Promise.all(
      boxes.map(({ place, directory }) => serve(place, directory, environment)),
    );

    // First backups on the LAN: one in portions, and while files change.
    const before = await wan.upBytes();
    await Promise.all([backUp(one, "--limit-size", "3MiB"), backUp(two)]);
    expect(saved.find(({ agent }) => agent === one)?.incomplete).toBe(true);
    change(one, 200);
    await backUp(one);
    change(two, 100);
    await backUp(two);
    expect((await wan.upBytes()) - before, "first backups stay on the LAN").toBeLessThan(besidesBytes);

    // Sealed; the manifests go over the line at once, and the boxes are on their way.
    for (const [i, { place, directory, pull }] of boxes.entries()) {
      await holdfast(["seed", "seal", "--data", directory, "--json"], inside(place, environment));
      expect((await running[i]!.end("SIGTERM")).status).toBe(0);
      pull();
    }
    const status = await run(datacentre, "seed", "status", ...dataOption, "--json");
    expect(eventsOf(status).map(({ box, state }) => [box, state])).toEqual(
      expect.arrayContaining([
        [1, "sealed"],
        [2, "sealed"],
      ]),
    );

    // Increments during shipping, of both at once.
    for (const newKiB of [300, 150]) {
      for (const agent of agents) change(agent, newKiB);
      const start = await wan.upBytes();
      const sent = await Promise.all(agents.map((agent) => backUp(agent)));
      for (const bytes of sent) expect(bytes).toBeLessThan(newKiB * KiB + besidesBytes);
      expect((await wan.upBytes()) - start).toBeLessThan(2 * (newKiB * KiB + besidesBytes));
    }
    const shown = await run(lan, "agent", "snapshots", "--state", one.state);
    expect(shown.stdout).toContain("completes when box 1 arrives");

    // They arrive, the second one first. Backups go on in between, and afterwards.
    const taking = ["seed", "import"] as const;
    const arrives = async (box: number): Promise<void> => {
      const ran = await run(datacentre, ...taking, boxes[box - 1]!.directory, ...dataOption, "--json");
      const nothing = { left: 0, refused: 0, warnings: 0, needs: 0 };
      expect(last(ran)).toMatchObject({ event: "done", box, state: "imported", ...nothing });
    };
    await arrives(2);
    change(two, 100);
    await Promise.all([backUp(two), arrives(1)]);
    change(one, 100);
    expect(await backUp(one)).toBeLessThan(100 * KiB + besidesBytes);

    // Each is whole, and what its source was. (The line may be fast for that.)
    await wan.upBytes("0");
    for (const { state } of agents) {
      expect((await run(lan, "agent", "snapshots", "--state", state)).stdout).not.toMatch(
        /completes when|lacks content/,
      );
    }
    expect(saved).toHaveLength(10);
    const all = agents.map(async (agent) => {
      for (const each of saved) if (each.agent === agent) await restored(each);
    });
    await Promise.all(all);
    expect((await gateway.end("SIGTERM")).status).toBe(0);
    await wan.end();

    async function restored({ agent, snapshot, tree, incomplete }: Saved): Promise<void> {
      const target = join(scratch, `restored-${snapshot}`);
      await run(
        lan,
        "agent",
        "restore",
        `${snapshot}:${agent.source}`,
        "--target",
        target,
        "--state",
        agent.state,
      );
      const found = describeTree(target);
      if (!incomplete) return expect(found).toEqual(tree);
      // A portion: less than all, and nothing else than what was there. Times of folders that are cut off are theirs.
      const files = [...found].filter(([, what]) => !what.startsWith("directory"));
      expect(files.length).toBeGreaterThan(0);
      expect(files.length).toBeLessThan(tree.size);
      for (const [path, what] of files) expect([path, what]).toEqual([path, tree.get(path)]);
    }
  });
});
