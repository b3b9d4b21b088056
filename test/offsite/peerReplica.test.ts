// A branch office and its datacentre, as people run them: a backup goes offsite by itself, its receipt is signed there, the office's packs are evicted and
// read back from there, what the datacentre loses or alters is found and healed, and it gives the whole gateway back.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { done, enroll, holdfast, lastEvent, makeSource, openSite, runGateway } from "../e2e/program.ts";
import { describeTree } from "../faults/sourceTree.ts";
import { seededBytes } from "../vault/seeded.ts";

type Status = {
  readonly pending_packs: number;
  readonly snapshots: Readonly<Record<string, { readonly complete: boolean; readonly receipt: boolean }>>;
};

test("offsite at another gateway, and back", async () => {
  const centre = await openSite();
  const office = await openSite();
  const [atCentre, atOffice] = [
    ["--data", centre.data],
    ["--data", office.data],
  ] as const;
  const token = join(office.folder, "office.token");
  await done("peer", "add", "office", "--token-file", token, "--url", centre.url, ...atCentre);
  await done("replica", "add", "offsite", centre.url, "--token-file", token, ...atOffice);

  const source = makeSource(office.folder);
  writeFileSync(join(source, "large"), seededBytes("large file", 30_000_000));
  const state = await enroll(office, "laptop");
  const { snapshot } = lastEvent(await done("agent", "backup", source, "--state", state, "--json"));
  const status = async () =>
    lastEvent(await done("replica", "status", "offsite", "--json", ...atOffice)) as unknown as Status;
  // A committed snapshot starts its own replication.
  await vi.waitUntil(async () => (await status()).snapshots[String(snapshot)]?.receipt === true, {
    timeout: 60_000,
    interval: 500,
  });
  expect(await status()).toMatchObject({
    pending_packs: 0,
    snapshots: { [String(snapshot)]: { complete: true, receipt: true } },
  });

  // The datacentre loses one pack and alters another: verifying finds both and puts good copies there.
  const [peer = ""] = readdirSync(join(centre.data, "peers"));
  const packs = readdirSync(join(centre.data, "peers", peer, "vaults"), { recursive: true, encoding: "utf8" })
    .filter((path) => /packs\/..\/[0-9a-f]{64}$/.test(path))
    .map((path) => join(centre.data, "peers", peer, "vaults", path));
  expect(packs.length).toBeGreaterThan(1);
  const altered = readFileSync(packs[0]!);
  altered[altered.length >> 1]! ^= 1;
  writeFileSync(packs[0]!, altered);
  rmSync(packs[1]!);
  const verify = (...more: string[]) =>
    holdfast("replica", "verify", "offsite", "--share", "100%", ...more, ...atOffice);
  for (let twice = 0; twice < 2; twice++) {
    const found = await verify();
    expect(found.status, found.stdout + found.stderr).toBe(1);
  }
  const healed = await verify("--heal");
  expect(healed.status, healed.stdout + healed.stderr).toBe(3);
  expect(readFileSync(packs[0]!).equals(altered)).toBe(false);
  expect(existsSync(packs[1]!)).toBe(true);
  const right = await verify();
  expect(right.status, right.stdout + right.stderr).toBe(0);

  await done("gateway", "evict", "--keep", "0", ...atOffice);
  const target = join(office.folder, "back");
  await done("agent", "restore", `latest:${source}`, "--target", target, "--state", state);
  expect(describeTree(target)).toEqual(describeTree(source));

  // The office burns down. Its recovery key and the datacentre give a whole gateway back, which the same agent goes on with.
  const gatewayRoots = join(centre.data, "peers", peer, "gateway", "root");
  await vi.waitUntil(() => existsSync(gatewayRoots), { timeout: 60_000, interval: 200 });
  await office.gateway.stop();
  const again = join(office.folder, "again");
  await done(
    ...["gateway", "restore-from", centre.url, "--token-file", token, "--data", again],
    ...["--recovery-key-file", join(office.folder, "grk"), "--listen", new URL(office.url).host],
  );
  const gateway = await runGateway(again);
  onTestFinished(() => gateway.stop("SIGKILL").then(() => {}));
  const fromAgain = join(office.folder, "from again");
  await done("agent", "restore", `latest:${source}`, "--target", fromAgain, "--state", state);
  expect(describeTree(fromAgain)).toEqual(describeTree(source));
});
