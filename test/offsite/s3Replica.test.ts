// The store in a bucket against a real S3 server: the suite of all stores, probes, versions and locks.
import {
  GetObjectRetentionCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { probeS3 } from "../../gateway/replica/s3/probe.ts";
import { openS3Store, singleBytesMax } from "../../gateway/replica/s3/s3Store.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { testReplicaStore } from "../conformance/replicaStore.ts";
import { sourceOf, watchedSource } from "../conformance/sources.ts";
import { canRunRgw, Rgw } from "../testbeds/rgw.ts";
import { seededBytes } from "../vault/seeded.ts";

const MiB = 1 << 20;
const dayMs = 86_400_000;

describe.runIf(canRunRgw("S3 replicas"))("S3 replicas", () => {
  let rgw: Rgw;
  let buckets = 0;
  beforeAll(async () => {
    rgw = await Rgw.start();
    await rgw.makeBucket("plain");
    await rgw.makeBucket("versioned", "versioned");
    await rgw.makeBucket("locked", "locked");
  });
  afterAll(async () => {
    await rgw.stop();
  });

  async function place(conditionalPuts: boolean, prefix: string, kind: "plain" | "versioned" = "plain") {
    const bucket = `conformance-${++buckets}`;
    await rgw.makeBucket(bucket, kind);
    const replica = { url: `s3://${bucket}${prefix}`, options: rgw.options(), conditionalPuts };
    const context = { now: () => new Date(), environment: rgw.environment };
    const open = () => openS3Store(replica, context);
    return { store: await open(), reopen: open, remove: async () => undefined };
  }

  testReplicaStore({
    name: "S3 with conditional writes, under a prefix",
    conditionalPuts: true,
    resumes: true,
    boundaries: [singleBytesMax],
    bytesInFlightMax: 8 << 20,
    open: () => place(true, "/offsite/box-1"),
  });
  testReplicaStore({
    name: "S3 bucket with versions, without conditional writes",
    conditionalPuts: false,
    resumes: true,
    boundaries: [],
    bytesInFlightMax: 8 << 20,
    open: () => place(false, "", "versioned"),
  });

  it("probes what a bucket is", async () => {
    const probe = (bucket: string, options = {}) =>
      probeS3({ url: `s3://${bucket}/box`, options: { ...rgw.options(), ...options } }, rgw.context);
    const lockDays = { packs: 2, metadata: 1 };
    const plain = await probe("plain");
    expect(plain).toMatchObject({ conditionalPuts: true, versioning: false, objectLock: false, notes: [] });
    expect(plain.verifies).toEqual({ md5: true, sha256: true });
    // This server ignores conditions in buckets that keep versions: it answers 200 and overwrites.
    const versioned = await probe("versioned");
    expect(versioned).toMatchObject({ conditionalPuts: false, versioning: true, objectLock: false });
    expect(versioned.notes[0]).toMatch(/overwrites.*--root-url/);
    const locked = await probe("locked", { lockDays });
    expect(locked).toMatchObject({ conditionalPuts: false, versioning: true, objectLock: true });
    await expect(probe("plain", { lockDays })).rejects.toThrow(/no Object Lock/);
    await expect(probe("nowhere")).rejects.toMatchObject({ code: ErrorCode.replicaRefused });
    for (const bucket of ["versioned", "plain"]) {
      const left = await rgw.client.send(
        new ListObjectVersionsCommand({ Bucket: bucket, Prefix: "box/probe/" }),
      );
      expect([...(left.Versions ?? []), ...(left.DeleteMarkers ?? [])]).toEqual([]);
    }
  });

  it("holds objects by class, and takes a refused delete for an answer", async () => {
    const locked = await rgw.store(
      "locked",
      { lockDays: { packs: 3, metadata: 0 } },
      { conditionalPuts: false },
    );
    const vault = `vaults/${"5e".repeat(16)}`;
    const [pack, large, root] = [
      `${vault}/packs/aa/one`,
      `${vault}/packs/bb/large`,
      `${vault}/root/0000000001`,
    ];
    await locked.putIfAbsent(pack, sourceOf(Buffer.from("held")));
    await locked.putIfAbsent(large, sourceOf(seededBytes("held in parts", 41 * MiB)));
    await locked.putIfAbsent(root, sourceOf(Buffer.from("not held")));
    for (const key of [pack, large]) {
      const { Retention } = await rgw.client.send(
        new GetObjectRetentionCommand({ Bucket: "locked", Key: `box/${key}` }),
      );
      expect(Retention?.Mode).toBe("COMPLIANCE");
      const days = (Retention!.RetainUntilDate!.getTime() - Date.now()) / dayMs;
      expect(Math.abs(days - 3)).toBeLessThan(0.1);
      expect(await locked.delete(key)).toBe("locked");
      expect(await locked.head(key)).toBeDefined();
    }
    expect(await locked.delete(root)).toBe("deleted");
    expect(await locked.head(root)).toBeUndefined();
    await locked.close();
  });

  it("deletes every version, so that an older one does not come back", async () => {
    const versioned = await rgw.store("versioned", {}, { conditionalPuts: false });
    await versioned.putIfAbsent("packs/healed", sourceOf(Buffer.from("one")));
    for (const text of ["two", "three"]) await versioned.heal("packs/healed", sourceOf(Buffer.from(text)));
    expect(await versioned.delete("packs/healed")).toBe("deleted");
    expect(await versioned.head("packs/healed")).toBeUndefined();
    const left = await rgw.client.send(
      new ListObjectVersionsCommand({ Bucket: "versioned", Prefix: "box/packs/healed" }),
    );
    expect(left.Versions ?? []).toEqual([]);
    await versioned.close();
  });

  it("begins anew when the upload to resume is gone, and gives up what nobody resumes", async () => {
    const store = await rgw.store("plain");
    const bytes = seededBytes("resumed", 41 * MiB);
    const key = "server/resumed";
    const stopped = new AbortController();
    const source = watchedSource(sourceOf(bytes), (offset) => {
      if (offset >= 20 * MiB) stopped.abort();
    });
    let kept: string | undefined;
    const savePart = (text: string | undefined) => {
      kept = text;
    };
    const interrupted = store.putIfAbsent(key, source, { signal: stopped.signal, savePart });
    await expect(interrupted).rejects.toMatchObject({ code: ErrorCode.cancelled });
    const gone = JSON.stringify({ ...JSON.parse(kept!), upload: "2~none" });
    expect((await store.putIfAbsent(key, sourceOf(bytes), { resume: gone })).outcome).toBe("created");
    await store.delete(key);
    // Without its resume text the first upload is left over: the next put of this key removes it.
    await store.putIfAbsent(key, sourceOf(bytes));
    const left = await rgw.client.send(
      new ListMultipartUploadsCommand({ Bucket: "plain", Prefix: `box/${key}` }),
    );
    expect(left.Uploads ?? []).toEqual([]);
    expect((await store.getRange(key, 0, bytes.length)).equals(bytes)).toBe(true);
    await store.close();
  });
});
