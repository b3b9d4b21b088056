// Verifying a replica in the gateway's process: what is read, what heals from where, what stays wrong.
import { copyFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ReplicaAdministration } from "../../../gateway/admin/replicaAdministration.ts";
import type { Replica } from "../../../gateway/catalog/replicas.ts";
import type { PackRow } from "../../../gateway/index/packTable.ts";
import { packKey } from "../../../gateway/replica/keys.ts";
import type { VerifyProgress, VerifyReport } from "../../../gateway/replica/verify/verifyReplica.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { ReplicatedGateway } from "./job/replicatedGateway.ts";

let site: ReplicatedGateway;
let first: Replica;
let second: Replica;
beforeEach(async () => {
  site = await ReplicatedGateway.create();
  first = await site.addReplica("first");
  second = await site.addReplica("second");
  await site.backUp(40);
  await site.run(first);
  await site.run(second);
});
afterEach(() => site.remove());

const progress: VerifyProgress[] = [];
function verify(name: string, sharePercent = 100, heal = false): Promise<VerifyReport> {
  progress.length = 0;
  const watch = {
    onProgress: (told: VerifyProgress) => progress.push(told),
    signal: new AbortController().signal,
  };
  return new ReplicaAdministration(site.fixture.gateway).verify({ name, sharePercent, heal }, watch);
}

async function dataPacks(): Promise<PackRow[]> {
  const { store } = await site.vault();
  return [...store.packs.all()].filter((row) => row.state !== "open" && row.kind === "data");
}

const copyOf = (replica: Replica, { name }: PackRow): string =>
  join(site.folder(replica.name), packKey(site.vaultId, name!));

async function listed(replica: Replica, { ordinal }: PackRow): Promise<unknown> {
  const { store } = await site.vault();
  return store.elsewhere!.places.get(ordinal, replica.id);
}

test("says before what it asks for, and asks for just that", async () => {
  const report = await verify("first");
  expect(report).toMatchObject({ findings: [], packs: report.packsVerified });
  expect(progress[0]).toEqual({ budget: report.budget, objectsDone: 0, bytesDone: 0 });
  expect(report.used).toEqual(report.budget);
  expect(report.packs).toBe((await site.localPacks()).length);
  expect(progress.at(-1)).toMatchObject({ objectsDone: report.budget.objects });
});

test("a share begins with the packs that were proven longest ago, so that all have their turn", async () => {
  const { store } = await site.vault();
  const before = Date.now();
  const count = (await site.localPacks()).length;
  for (let run = 0; run < Math.ceil(100 / 30); run++) await verify("first", 30);
  for (const { ordinal } of store.packs.all()) {
    const place = store.elsewhere!.places.get(ordinal, first.id);
    if (place === undefined) continue; // still open
    expect(place.proof).toBe("hashed");
    expect(place.provenMs).toBeGreaterThanOrEqual(before);
  }
  expect(count).toBeGreaterThan(3);
});

test("a copy that is wrong counts no more, until it is healed from this disk", async () => {
  const [altered, gone, swapped] = await dataPacks();
  await writeFile(copyOf(first, altered!), "altered");
  await rm(copyOf(first, gone!));
  await copyFile(copyOf(second, gone!), copyOf(first, swapped!));
  const report = await verify("first");
  expect(report.findings.map(({ healed }) => healed)).toEqual([false, false, false]);
  for (const pack of [altered!, gone!, swapped!]) expect(await listed(first, pack)).toBeUndefined();
  const healed = await verify("first", 100, true);
  expect(healed.findings.map((finding) => finding.healed)).toEqual([true, true, true]);
  for (const pack of [altered!, gone!, swapped!]) {
    expect(await listed(first, pack)).toMatchObject({ listed: true, proof: "hashed" });
  }
  expect((await verify("first")).findings).toEqual([]);
});

test("the copy of an evicted pack heals from the other replica, and never from a wrong one", async () => {
  const { store } = await site.vault();
  const [good, lost] = await dataPacks();
  for (const pack of [good!, lost!]) {
    expect(await store.elsewhere!.moves.evict(pack.ordinal)).toEqual({ evicted: true });
    await writeFile(copyOf(first, pack), "altered");
  }
  await writeFile(copyOf(second, lost!), "altered too");
  const { findings } = await verify("first", 100, true);
  const of = (pack: PackRow) => findings.find(({ key }) => key === packKey(site.vaultId, pack.name!));
  expect(findings).toHaveLength(2);
  expect(of(good!)?.healed).toBe(true);
  expect(of(lost!)?.healed).toBe(false);
  expect(store.packs.get(good!.ordinal)?.state).toBe("closed");
  expect(store.packs.get(lost!.ordinal)?.state).toBe("evicted");
});

test("a damaged file here does not make a good copy of it wrong, and heals nothing", async () => {
  const [pack, other] = await dataPacks();
  const directory = site.fixture.gateway.vaultDirectory(site.vaultId);
  await writeFile(closedPackPath(directory, pack!.name!), "damaged here");
  await writeFile(closedPackPath(directory, other!.name!), "damaged here");
  await writeFile(copyOf(first, other!), "altered");
  const { findings } = await verify("first", 100, true);
  expect(findings).toMatchObject([{ key: packKey(site.vaultId, other!.name!), healed: false }]);
});

test("a replica that is away, or rolled back, fails as a whole", async () => {
  const root = join(site.folder("first"), "vaults", site.vaultId, "root");
  await rm(root, { recursive: true });
  await expect(verify("first")).rejects.toMatchObject({ code: ErrorCode.rollbackDetected });
  await rm(join(site.folder("second"), "holdfast-replica.json"));
  await expect(verify("second")).rejects.toMatchObject({ code: ErrorCode.replicaUnreachable });
});
