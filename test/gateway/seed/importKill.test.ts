// kill -9 of the datacentre's gateway while it imports, at files that get their names and at any moment: the same command goes on, and
// everything is there once. HOLDFAST_KILLS sets how many (4), HOLDFAST_SEED repeats a run.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { randomFrom } from "../../fidelity/random.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import {
  boxKeyAt,
  type Committed,
  commitOn,
  OpenBox,
  prepareRequest,
  seal,
  unwatched,
} from "./boxFixture.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 4);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const scratch = mkdtempSync(join(tmpdir(), "holdfast-import-kill-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const program = join(import.meta.dirname, "dyingProgram.ts");
/** Packs of this size are kept as they are. */
const packBytesTarget = 9 * 2 ** 20;

/** Runs an import; it dies at its n-th rename, or is killed so long after it began. True where it came to its end. */
async function imports(
  data: string,
  box: string,
  death: { readonly rename: number } | { readonly ms: number },
): Promise<boolean> {
  const at = "rename" in death ? death.rename : 0;
  const when = at % 2 === 0 ? "before" : "behind";
  const child = spawn(process.execPath, [program, "import", data, box, String(at), when], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close") as Promise<[number | null, string | null]>;
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  if ("ms" in death) {
    await Promise.race([once(child.stdout, "data"), ended]);
    await pause(death.ms);
    child.kill("SIGKILL");
  } else child.stdout.resume();
  const [status, signal] = await ended;
  if (signal === "SIGKILL") return false;
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return true;
}

/** Bytes of packs, open ones included, of a vault's directory. */
function packBytes(vault: string): number {
  return ["packs", "open"]
    .flatMap((folder) => readdirSync(join(vault, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".tmp"))
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

test(`an import survives ${kills} kills (seed ${seed})`, { timeout: 60_000 + kills * 20_000 }, async () => {
  const random = randomFrom(seed);
  const datacentre = await GatewayFixture.create({}, join(scratch, "datacentre"));
  const device = await datacentre.device(await datacentre.account("acme"), "laptop");
  const directory = join(scratch, "box");
  const urls = { datacentreUrls: [datacentre.listening.url] };
  await datacentre.administration.seed.prepare(prepareRequest(directory, ["acme"], urls));
  const box = await OpenBox.open(directory, await boxKeyAt(datacentre.gateway, directory), packBytesTarget);
  const snapshots: Committed[] = [];
  for (let n = 0; n < 5; n++) {
    const contents = Array.from({ length: 10 }, () => randomBytes(2 ** 20));
    snapshots.push(await commitOn(box.client(device.token), device, "files", contents));
  }
  await seal(box);
  await box.administration.seed.send(unwatched);
  const onBoard = await Promise.all(snapshots.map(({ root, chunks }) => recordsOf(box, [root, ...chunks])));
  await box.close();
  await datacentre.stop();

  const before = join(scratch, "before");
  cpSync(datacentre.path, before, { recursive: true });
  let killed = 0;
  for (let round = 0; round < kills; round++) {
    // The first of them is sure to hit: there are six renames at least.
    const death = round % 2 === 0 ? { rename: 1 + random.below(6) } : { ms: random.below(400) };
    if (!(await imports(datacentre.path, directory, death))) killed++;
    else if (round < kills - 1) {
      rmSync(datacentre.path, { recursive: true });
      cpSync(before, datacentre.path, { recursive: true });
    }
  }
  console.log(`killed ${killed} of ${kills} times`);
  expect(killed).toBeGreaterThan(0);
  await datacentre.start();
  const request = { sources: [directory], finish: false, dryRun: false };
  const report = await datacentre.administration.imports.run(request, unwatched);
  expect(report).toMatchObject({ state: "imported", left: 0, refused: 0, snapshots: 5, whole: 5, needs: 0 });
  const { kept, merged, present } = report.outcomes;
  expect(kept + merged + present).toBe(report.packs);
  const here = await Promise.all(
    snapshots.map(({ root, chunks }) => recordsOf(datacentre, [root, ...chunks])),
  );
  expect(here).toEqual(onBoard);
  const vault = await datacentre.gateway.vault(device.vault);
  expect(vault.store.index.promised.any()).toBe(false);
  // Nothing is there twice: what is not kept as it is went into other packs once.
  expect(packBytes(datacentre.gateway.vaultDirectory(device.vault))).toBeLessThan(report.packBytes + 2 ** 20);
  const names = [...vault.store.packs.all()].flatMap(({ name }) =>
    name === undefined ? [] : [Buffer.from(name).toString("hex")],
  );
  expect(names).toHaveLength(new Set(names).size);
  await datacentre.stop();

  async function recordsOf(gateway: OpenBox | GatewayFixture, ids: readonly Buffer[]): Promise<string[]> {
    const read = await gateway.client(device.token).readAll(device.vault, device.group, ids);
    return read.map((found) =>
      found?.state === "record" ? found.record.toString("base64").slice(-60) : "not here",
    );
  }
});
