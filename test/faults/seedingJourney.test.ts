// The whole journey of two boxes, and of a third one back: a customer's LAN with two agents and a box for each, a line of 10 Mbit/s with 20 ms
// each way, and the datacentre, as network namespaces with real processes in them. Files change before, during and after shipping, and while
// they are backed up. Every snapshot is restored in the end and is what its source was then; at last the newest one by a box that brings what
// the customer's target lacks, with the line cut.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { bytesPerSecond, JourneySite, last, type Saved, stillTree } from "./journeySite.ts";
import { eventsOf } from "./program.ts";
import { canRun } from "./requirements.ts";
import { tearDownAll } from "./tearDown.ts";

const KiB = 1024;
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const random = randomFrom(seed);
const taking = ["seed", "import"] as const;
/** What a backup may send besides what changed: pages of directories, questions, handshakes. */
const besidesBytes = 400 * KiB;
/** Of an agent's source, at least. */
const sourceBytes = 6000 * KiB;

describe.skipIf(!canRun("the journey of boxes", "ip"))("seeding by boxes", () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-journey-"));
  afterAll(() => {
    tearDownAll();
    rmSync(scratch, { recursive: true, force: true });
  });

  it(`from LAN to datacentre, and back (seed ${seed})`, async () => {
    const { site, gateway, agents } = await JourneySite.create(scratch, random);
    const { lan, datacentre, data, passphrase, saved, wan } = site;
    const [one, two] = agents;
    const boxes = agents.map(({ name }, i) => ({
      ...site.stand(),
      device: name,
      directory: join(scratch, `box${i + 1}`),
    }));
    for (const box of boxes) {
      const forDevice = ["--account", "alice", "--device", box.device];
      await site.run(
        datacentre,
        ...["seed", "prepare", box.directory, ...data, ...forDevice, ...site.madeFor(box)],
      );
    }
    const running = await Promise.all(
      boxes.map(({ place, directory }) => site.serve(place, ["--data", directory, ...passphrase])),
    );

    // First backups on the LAN: one in portions, and while files change.
    const before = await wan.passed();
    await Promise.all([site.backUp(one, "--limit-size", "3MiB"), site.backUp(two)]);
    expect(saved.find(({ agent }) => agent === one)?.incomplete).toBe(true);
    site.change(one, 200);
    await site.backUp(one);
    site.change(two, 100);
    await site.backUp(two);
    expect((await wan.passed()).up - before.up, "first backups stay on the LAN").toBeLessThan(besidesBytes);

    // Sealed; the manifests go over the line at once, and the boxes are on their way.
    for (const [i, { place, directory, pull }] of boxes.entries()) {
      await site.run(place, "seed", "seal", "--data", directory, "--json");
      expect((await running[i]!.end("SIGTERM")).status).toBe(0);
      pull();
    }
    const status = await site.run(datacentre, "seed", "status", ...data, "--json");
    expect(eventsOf(status).map(({ box, state }) => [box, state])).toEqual(
      expect.arrayContaining([
        [1, "sealed"],
        [2, "sealed"],
      ]),
    );

    // Increments during shipping, of both at once.
    for (const newKiB of [300, 150]) {
      for (const agent of agents) site.change(agent, newKiB);
      const start = await wan.passed();
      const sent = await Promise.all(agents.map((agent) => site.backUp(agent)));
      for (const bytes of sent) expect(bytes).toBeLessThan(newKiB * KiB + besidesBytes);
      expect((await wan.passed()).up - start.up).toBeLessThan(2 * (newKiB * KiB + besidesBytes));
    }
    const shown = await site.run(lan, "agent", "snapshots", "--state", one.state);
    expect(shown.stdout).toContain("completes when box 1 arrives");

    // They arrive, the second one first. Backups go on in between, and afterwards.
    const arrives = async (box: number): Promise<void> => {
      const ran = await site.run(datacentre, ...[...taking, boxes[box - 1]!.directory, ...data, "--json"]);
      const nothing = { left: 0, refused: 0, warnings: 0, needs: 0 };
      expect(last(ran)).toMatchObject({ event: "done", box, state: "imported", ...nothing });
    };
    await arrives(2);
    site.change(two, 100);
    await Promise.all([site.backUp(two), arrives(1)]);
    site.change(one, 100);
    expect(await site.backUp(one)).toBeLessThan(100 * KiB + besidesBytes);

    // Each is whole, and what its source was. (The line may be fast for that.)
    await wan.passed("0");
    for (const { state } of agents) {
      const { stdout } = await site.run(lan, "agent", "snapshots", "--state", state);
      expect(stdout).not.toMatch(/completes when|lacks content/);
    }
    expect(saved).toHaveLength(10);
    const all = agents.map(async (agent) => {
      for (const each of saved) if (each.agent === agent) await restored(each);
    });
    await Promise.all(all);
    await wayBack();
    expect((await gateway.end("SIGTERM")).status).toBe(0);
    await wan.end();

    async function restored(each: Saved): Promise<void> {
      const { agent, snapshot, tree, incomplete } = each;
      const target = site.targetOf(each);
      const what = [`${snapshot}:${agent.source}`, "--target", target, "--state", agent.state];
      await site.run(lan, "agent", "restore", ...what);
      expect(agent.live.wrongIn(join(target, "live"))).toEqual([]);
      const found = stillTree(target);
      if (!incomplete) {
        expect(readdirSync(join(target, "live"))).toEqual(["log", "state"]);
        return expect(found).toEqual(tree);
      }
      // A portion: less than all, and nothing else than what was there. Times of folders that are cut off are theirs.
      const files = [...found].filter(([, what]) => !what.startsWith("directory"));
      expect(files.length).toBeGreaterThan(0);
      expect(files.length).toBeLessThan(tree.size);
      for (const [path, what] of files) expect([path, what]).toEqual([path, tree.get(path)]);
    }

    /** The customer has an older state, and gets the newest by a box that carries the difference. */
    async function wayBack(): Promise<void> {
      const newest = saved.findLast(({ agent }) => agent === one)!;
      const target = site.targetOf(saved.find(({ agent, incomplete }) => agent === one && !incomplete)!);
      expect(stillTree(target)).not.toEqual(newest.tree);
      const restore = [
        ...["agent", "restore", `${newest.snapshot}:${one.source}`, "--target", target, "--delete"],
        ...["--state", one.state, "--json"],
      ];
      const need = join(scratch, "need.hfb");
      const start = await wan.passed(String(bytesPerSecond));
      const looked = last(await site.run(lan, ...restore, "--dry-run", "--need-out", need));
      expect((await wan.passed()).down - start.down, "it looks over the line").toBeLessThan(besidesBytes);
      expect(looked.need_bytes).toBeGreaterThan(0);
      expect(looked.need_bytes).toBeLessThan(sourceBytes / 2);

      const [stand, directory] = [site.stand(), join(scratch, "back")];
      const staged = last(
        await site.run(
          datacentre,
          ...["seed", "stage-restore", directory, newest.snapshot, "--need", need, ...data, "--json"],
          ...site.madeFor(stand),
        ),
      );
      expect(staged).toMatchObject({ lacking: 0, warnings: 0 });
      expect(staged.left_out).toBeGreaterThan(0);
      expect(staged.bytes).toBeLessThan(sourceBytes / 2);
      // It is carried, and nothing comes by the line any more.
      site.line.pull();
      const box = await site.serve(stand.place, ["--data", directory, ...passphrase]);
      const { fingerprint } = last({ status: null, stdout: box.stdout, stderr: "" });
      await site.run(lan, ...restore, "--gateway", stand.url, "--fingerprint", String(fingerprint));
      expect(stillTree(target)).toEqual(newest.tree);
      expect(one.live.wrongIn(join(target, "live"))).toEqual([]);
      expect((await box.end("SIGTERM")).status).toBe(0);
    }
  });
});
