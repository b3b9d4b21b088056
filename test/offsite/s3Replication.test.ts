// A real gateway and a real S3 server: replication, what it asks of the server, locks with the roots elsewhere, and a gateway back from the bucket.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ReplicaOptions } from "../../gateway/catalog/replicas.ts";
import { addReplica } from "../../gateway/replica/addReplica.ts";
import { replicateGateway } from "../../gateway/replica/gatewayState/replicateGateway.ts";
import { packKey } from "../../gateway/replica/keys.ts";
import { openReplicaStore } from "../../gateway/replica/openStore.ts";
import { restoreFrom } from "../../gateway/replica/restore/restoreFrom.ts";
import { estimateCost } from "../../gateway/replica/s3/cost.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { parseRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import { checkReplica } from "../gateway/replica/job/checkReplica.ts";
import { ReplicatedGateway } from "../gateway/replica/job/replicatedGateway.ts";
import { canRunRgw, Rgw } from "../testbeds/rgw.ts";

describe.runIf(canRunRgw("replication to S3"))("replication to S3", () => {
  let rgw: Rgw;
  let scratch: string;
  let options: ReplicaOptions;
  let site: ReplicatedGateway;
  beforeAll(async () => {
    rgw = await Rgw.start();
    scratch = await mkdtemp(join(tmpdir(), "holdfast-s3-replication-"));
    const credentialsFile = join(scratch, "credentials");
    const keys = `aws_access_key_id=${rgw.accessKey}\naws_secret_access_key=${rgw.secretKey}\n`;
    await writeFile(credentialsFile, `[default]\n${keys}`, { mode: 0o600 });
    options = { ...rgw.options(), credentialsFile };
    for (const name of ["replica", "roots"]) await rgw.makeBucket(name);
    await rgw.makeBucket("held", "locked");
  });
  afterAll(async () => {
    await rgw.stop();
    await rm(scratch, { recursive: true, force: true });
  });
  beforeEach(async () => {
    site = await ReplicatedGateway.create();
  });
  afterEach(async () => {
    await site.remove();
  });

  /** Brings all objects into a folder, and reads that as a replica with nothing but the format. */
  async function check(...urls: string[]): Promise<ReturnType<typeof checkReplica>> {
    const folder = await mkdtemp(join(scratch, "copy-"));
    for (const url of urls) {
      const store = await openReplicaStore(
        { url, options, conditionalPuts: true },
        { now: () => new Date() },
      );
      for await (const { key, bytes } of store.list("")) {
        await mkdir(dirname(join(folder, key)), { recursive: true });
        await writeFile(join(folder, key), await store.getRange(key, 0, bytes));
      }
      await store.close();
    }
    return checkReplica(folder, site.vaultId, Buffer.from(site.device.account.keys.metadataKey));
  }

  it("brings packs before the commit that needs them, by what the probe found the server to compare", async () => {
    const request = { name: "early", url: "s3://replica/early", options, bandwidth: "", schedule: "" };
    const replica = await addReplica(site.fixture.gateway, { ...request, parallel: 2 });
    expect(replica.comparesSha256).toBe(true);
    (await site.through((store) => store)).start();
    const { commit } = await site.beginBackUp(40);
    await (await site.vault()).store.settled();
    const closed = await site.localPacks();
    expect(closed.length).toBeGreaterThan(2);
    await expect.poll(async () => (await site.status(replica)).pendingPacks).toBe(0);
    const store = await openReplicaStore(replica, { now: () => new Date() });
    for (const name of closed) {
      const found = await store.head(packKey(site.vaultId, Buffer.from(name, "hex")));
      expect(found?.bytes).toBeGreaterThan(0);
    }
    await store.close();
    const id = await commit();
    await expect.poll(() => site.receipt(replica, id)).toMatchObject({ proof: "checksum" });
    const there = (await check(replica.url))!;
    expect(there.snapshots).toEqual([id]);
    expect([...there.packs].sort()).toEqual(await site.localPacks());
  });

  it("brings snapshots with a bounded number of requests, none of them a list, and none when nothing is new", async () => {
    const url = "s3://replica/site-1";
    const first = await site.backUp(60);
    const replica = await site.addReplica("offsite", { url, options });
    const report = await site.run(replica);
    expect(report).toMatchObject({ outcome: "done", failure: null, snapshots: 1, generation: 1, unsent: [] });
    const there = (await check(url))!;
    expect([...there.packs].sort()).toEqual(await site.localPacks());
    expect(there.snapshots).toEqual([first.id]);
    expect(await site.receipt(replica, first.id)).toMatchObject({
      proof: "checksum",
      packs: there.packs.length,
    });

    const { requests } = report.usage;
    expect(Object.keys(requests).filter((name) => name.startsWith("List"))).toEqual([]);
    // One put for each pack, and a dozen for segment, snapshot, documents, catalog, pages and roots.
    expect(requests.PutObject).toBeLessThan(there.packs.length + 24);
    expect(estimateCost(requests, report.usage.receivedBytes)).toBeGreaterThan(0);

    await site.backUp(2, 1000, first.records);
    const second = await site.run(replica);
    expect(second).toMatchObject({ outcome: "done", snapshots: 1, generation: 2 });
    expect(second.usage.requests.PutObject).toBeLessThan(second.packs + 24);
    const idle = await site.run(replica);
    expect(idle).toMatchObject({ outcome: "done", packs: 0, snapshots: 0, generation: 2 });
    expect(idle.usage.sentBytes).toBe(0);
    expect(Object.keys(idle.usage.requests).filter((name) => /^(Put|List|Delete)/.test(name))).toEqual([]);
  });

  it("keeps to a bucket with Object Lock, with its roots elsewhere, and defers refused deletes", async () => {
    const [url, rootUrl] = ["s3://held/site-2", "s3://roots/site-2"];
    const lockDays = { packs: 2, metadata: 2 };
    const replica = await site.addReplica("held", { url, options: { ...options, rootUrl, lockDays } });
    for (let round = 0; round < 4; round++) {
      await site.backUp(3);
      expect(await site.run(replica)).toMatchObject({
        outcome: "done",
        failure: null,
        generation: round + 1,
      });
    }
    const there = (await check(url, rootUrl))!;
    expect([...there.packs].sort()).toEqual(await site.localPacks());
    expect(there.snapshots).toHaveLength(4);
    // What was superseded is held: it stays listed as doomed until the lock ends.
    expect(there.doomed.length).toBeGreaterThan(0);
  });

  it("is added after a look at the buckets, and says what they are", async () => {
    await rgw.makeBucket("versions", "versioned");
    const add = (name: string, url: string, more: ReplicaOptions = {}) =>
      addReplica(site.fixture.gateway, {
        ...{ name, url, options: { ...options, ...more }, bandwidth: "", schedule: "", parallel: 2 },
      });
    expect(await add("good", "s3://replica/added")).toMatchObject({ conditionalPuts: true, notes: [] });
    const alone = await add("alone", "s3://versions/added");
    expect(alone.conditionalPuts).toBe(false);
    expect(alone.notes.join(" ")).toMatch(/only this gateway may write/);
    const lockDays = { packs: 1, metadata: 1 };
    const both = await add("both", "s3://held/added", { rootUrl: "s3://roots/added", lockDays });
    expect(both).toMatchObject({ conditionalPuts: true, notes: [] });
    await expect(add("none", "s3://nowhere/added")).rejects.toMatchObject({ code: ErrorCode.replicaRefused });
    await expect(add("keys", "s3://KEY:hiddenSecret@replica/added")).rejects.not.toThrow(/hiddenSecret/);
  });

  it("gives a whole gateway back from the bucket", async () => {
    const url = "s3://replica/site-3";
    const { id } = await site.backUp(50);
    const replica = await site.addReplica("offsite", { url, options });
    await site.run(replica);
    const store = await openReplicaStore({ url, options, conditionalPuts: true }, { now: () => new Date() });
    const { signal } = new AbortController();
    const { gateway } = site.fixture;
    await replicateGateway({ gateway, replica, store, roots: store, takeOver: false, signal });
    await store.close();
    const data = join(scratch, "restored");
    const report = await restoreFrom({
      url,
      options,
      recoveryKey: parseRecoveryKey("gateway", site.fixture.recoveryKey),
      data,
      listen: undefined,
      wanted: "newest",
      keepRemote: false,
      allowDamaged: false,
      dryRun: false,
      now: () => new Date(),
      signal,
      onPlan: () => undefined,
      onProgress: () => undefined,
    });
    expect(report.damage).toEqual([]);
    expect(report.plan.vaults).toMatchObject([{ vault: site.vaultId, snapshots: 1 }]);
    expect(report.plan.vaults[0]?.packs).toBe((await site.localPacks()).length);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
  });
});
