// S3 replicas and what a real server does on bad days: it dies, hangs, is full, throttles, says no.
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { inspect } from "node:util";
import { DeleteBucketCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createCertificate } from "../../gateway/certificate.ts";
import type { ReplicaStore } from "../../gateway/replica/replicaStore.ts";
import { probeS3 } from "../../gateway/replica/s3/probe.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { sourceOf, watchedSource } from "../conformance/sources.ts";
import { FaultProxy } from "../faults/faultProxy.ts";
import { canRunRgw, Rgw } from "../testbeds/rgw.ts";
import { seededBytes } from "../vault/seeded.ts";

const MiB = 1 << 20;

describe.runIf(canRunRgw("S3 replicas on a server's bad days"))("S3 replicas on a server's bad days", () => {
  let rgw: Rgw;
  let store: ReplicaStore;
  /** All that anybody could have read: messages, errors, answers. */
  const output: string[] = [];
  beforeAll(async () => {
    rgw = await Rgw.start();
    for (const name of ["plain", "gone", "small"]) await rgw.makeBucket(name);
    for (const stream of [process.stdout, process.stderr]) {
      const write = stream.write.bind(stream);
      vi.spyOn(stream, "write").mockImplementation((...given: unknown[]) => {
        output.push(String(given[0]));
        return (write as (...all: unknown[]) => boolean)(...given);
      });
    }
    store = await rgw.store("plain", {}, { tuning: { triesMax: 200, windowMs: 1000, answerWindows: 2 } });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  afterAll(async () => {
    await store?.close();
    await rgw.stop();
  });

  /** The error of what must fail, kept for the search for secrets. */
  async function failure(work: Promise<unknown>): Promise<unknown> {
    const error = await work.then(
      () => expect.unreachable("it should have failed"),
      (reason: unknown) => reason,
    );
    output.push(inspect(error, { depth: 20, showHidden: true }), (error as Error).stack ?? "");
    return error;
  }

  const refusedWithNextStep = { code: ErrorCode.replicaRefused, next: expect.any(String) };

  // Before the server is killed: the admin program then waits long for the dead one.
  it("says that a bucket is full, and goes on when it has room again", async () => {
    const small = await rgw.store("small");
    const set = (limit: string) => rgw.admin("quota", "set", "--quota-scope=bucket", "--bucket=small", limit);
    await set("--max-size=1M");
    await rgw.admin("quota", "enable", "--quota-scope=bucket", "--bucket=small");
    const large = sourceOf(seededBytes("too large", 3 * MiB));
    const full = { code: ErrorCode.replicaFull, next: expect.any(String) };
    expect(await failure(small.putIfAbsent("packs/large", large))).toMatchObject(full);
    const parts = sourceOf(seededBytes("too large for parts", 41 * MiB));
    expect(await failure(small.putIfAbsent("packs/parts", parts))).toMatchObject(full);
    const left = await rgw.client.send(new ListMultipartUploadsCommand({ Bucket: "small" }));
    expect(left.Uploads ?? []).toEqual([]);
    await rgw.admin("quota", "disable", "--quota-scope=bucket", "--bucket=small");
    await vi.waitFor(() => small.putIfAbsent("packs/large", large), { timeout: 60_000, interval: 200 });
    await small.close();
  });

  it("says what to do about wrong keys, suspended users and buckets that are gone", async () => {
    const source = sourceOf(Buffer.from("x"));
    const wrongSecret = "this/Secret+is=wrong0123456789abcdefghijk";
    const wrong = await rgw.store("plain", {}, {
      environment: { ...rgw.environment, AWS_SECRET_ACCESS_KEY: wrongSecret },
    }); // biome-ignore format: one call
    const unknown = await rgw.store(
      "plain",
      {},
      { environment: { ...rgw.environment, AWS_ACCESS_KEY_ID: "NOBODY" } },
    );
    for (const refused of [wrong, unknown]) {
      expect(await failure(refused.putIfAbsent("a", source))).toMatchObject(refusedWithNextStep);
      expect(await failure(refused.head("a"))).toMatchObject(refusedWithNextStep);
      expect(await failure(refused.getRange("a", 0, 1))).toMatchObject(refusedWithNextStep);
      expect(refused.usage().retries).toBe(0);
      await refused.close();
    }
    await rgw.client.send(new DeleteBucketCommand({ Bucket: "gone" }));
    const gone = await rgw.store("gone");
    const calls = [
      () => gone.putIfAbsent("a", source),
      () => gone.head("a"),
      () => gone.getRange("a", 0, 1),
      () => gone.delete("a"),
    ];
    for (const call of calls) {
      const error = await failure(call());
      expect(error).toMatchObject(refusedWithNextStep);
      expect(inspect(error)).toMatch(/Make the bucket/);
    }
    await gone.close();
    await rgw.admin("user", "suspend", "--uid=test");
    try {
      await vi.waitFor(
        async () => expect(await failure(store.head("a"))).toMatchObject(refusedWithNextStep),
        { timeout: 60_000, interval: 200 },
      );
    } finally {
      await rgw.admin("user", "enable", "--uid=test");
    }
    await vi.waitFor(() => store.putIfAbsent("a", source), { timeout: 60_000, interval: 200 });
  });

  it("goes on when the server was killed and started again under way", async () => {
    const bytes = seededBytes("killed", 60 * MiB);
    let kept: string | undefined;
    let killed = false;
    const source = watchedSource(sourceOf(bytes), async (offset) => {
      if (offset < 33 * MiB || killed) return;
      killed = true;
      await rgw.signal("client.rgw", "SIGKILL");
      setTimeout(() => void rgw.startGateway(), 200);
    });
    const put = await store.putIfAbsent("server/killed", source, { savePart: (text) => (kept = text) });
    expect(put).toEqual({ outcome: "created", proof: "checksum" });
    expect(killed).toBe(true);
    expect(kept).toBeUndefined();
    expect(store.usage().retries).toBeGreaterThan(0);
    expect((await store.getRange("server/killed", 0, bytes.length)).equals(bytes)).toBe(true);
  });

  it("keeps what it acknowledged when the server is killed", async () => {
    const objects = Array.from({ length: 40 }, (_, index) => seededBytes(`acknowledged ${index}`, 30_000));
    const all = objects.map((bytes, index) => store.putIfAbsent(`server/kept-${index}`, sourceOf(bytes)));
    await all[0];
    await rgw.signal("client.rgw", "SIGKILL");
    await rgw.startGateway();
    await Promise.all(all);
    for (const [index, bytes] of objects.entries()) {
      expect((await store.getRange(`server/kept-${index}`, 0, bytes.length)).equals(bytes)).toBe(true);
    }
  });

  it("waits for a server that hangs", async () => {
    const bytes = seededBytes("hanging", 500_000);
    const before = store.usage().retries;
    await rgw.signal("osd.0", "SIGSTOP");
    setTimeout(() => void rgw.signal("osd.0", "SIGCONT"), 3500);
    expect((await store.putIfAbsent("server/hanging", sourceOf(bytes))).outcome).toBe("created");
    expect(store.usage().retries).toBeGreaterThan(before);
    expect((await store.getRange("server/hanging", 0, bytes.length)).equals(bytes)).toBe(true);
  });

  it("slows down when it is told to", async () => {
    await rgw.signal("client.rgw", "SIGKILL");
    await rgw.startGateway("rgw max concurrent requests=2");
    const before = store.usage().retries;
    const objects = Array.from({ length: 60 }, (_, index) => seededBytes(`throttled ${index}`, 20_000));
    await Promise.all(
      objects.map((bytes, index) => store.putIfAbsent(`server/slow-${index}`, sourceOf(bytes))),
    );
    expect(store.usage().retries).toBeGreaterThan(before);
    await rgw.signal("client.rgw", "SIGKILL");
    await rgw.startGateway();
    for (const [index, bytes] of objects.entries()) {
      expect((await store.getRange(`server/slow-${index}`, 0, bytes.length)).equals(bytes)).toBe(true);
    }
  });

  it.each([-3, 5])("signs with the server's time when ours is off by %i hours", async (hours) => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hours * 3_600_000 });
    const skewed = await rgw.store("plain");
    expect(await skewed.head("server/none")).toBeUndefined();
    const put = await skewed.putIfAbsent(`server/skewed-${hours}`, sourceOf(Buffer.from("on time")));
    expect(put).toEqual({ outcome: "created", proof: "checksum" });
    await skewed.close();
    const probed = await probeS3({ url: "s3://plain/box", options: rgw.options() }, rgw.context);
    expect(Math.round(probed.clockSkewMs / 3_600_000)).toBe(-hours);
    expect(probed.notes.join(" ")).toMatch(/clock/);
  });

  it("trusts the certificates it was given, and no others", async () => {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-ca-"));
    const { certificate, key } = await createCertificate("store", [], new Date());
    const [caFile, otherFile] = [join(folder, "ca.pem"), join(folder, "other.pem")];
    await writeFile(caFile, certificate);
    await writeFile(otherFile, (await createCertificate("other", [], new Date())).certificate);
    // The end of TLS in front of the server.
    const server = createServer({ cert: certificate, key }, (socket) => {
      const far = connect(Number(new URL(rgw.endpoint).port), "127.0.0.1");
      socket.on("error", () => far.destroy()).pipe(far);
      far.on("error", () => socket.destroy()).pipe(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const endpoint = `https://127.0.0.1:${(server.address() as { port: number }).port}`;
    const untrusted = {
      code: ErrorCode.replicaRefused,
      message: expect.stringContaining("certificate is not trusted"),
    };
    for (const options of [{ endpoint }, { endpoint, caFile: otherFile }]) {
      const wary = await rgw.store("plain", options);
      await expect(wary.head("server/tls")).rejects.toMatchObject(untrusted);
      expect(wary.usage().retries).toBe(0);
      await wary.close();
    }
    const trusting = await rgw.store("plain", { endpoint, caFile });
    const bytes = seededBytes("over tls", 2 * MiB);
    expect(await trusting.putIfAbsent("server/tls", sourceOf(bytes))).toEqual({
      outcome: "created",
      proof: "checksum",
    });
    expect((await trusting.getRange("server/tls", 0, bytes.length)).equals(bytes)).toBe(true);
    await trusting.close();
    // Under TLS, faults are those of connections.
    const wire = await FaultProxy.start("tcp", endpoint, ({ number }) =>
      number < 2 ? { kind: "reset", direction: "up", afterBytes: 300_000 } : undefined,
    );
    const patient = await rgw.store("plain", { endpoint: `https://127.0.0.1:${wire.port}`, caFile });
    expect((await patient.putIfAbsent("server/tls-2", sourceOf(bytes))).outcome).toBe("created");
    expect((await patient.getRange("server/tls-2", 0, bytes.length)).equals(bytes)).toBe(true);
    expect(wire.fired).toEqual({ reset: 2 });
    await patient.close();
    await wire.close();
    server.close();
    await expect(rgw.store("plain", { endpoint, caFile: join(folder, "none.pem") })).rejects.toMatchObject({
      code: ErrorCode.replicaRefused,
    });
    await rm(folder, { recursive: true });
  });

  it("takes keys from a file, and never shows them", async () => {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-s3-"));
    const credentialsFile = join(folder, "credentials");
    const section = (secret: string) =>
      `aws_access_key_id = ${rgw.accessKey}\naws_secret_access_key = ${secret}\n`;
    await writeFile(credentialsFile, `[default]\n${section("wrong")}\n[offsite]\n${section(rgw.secretKey)}`);
    const fromFile = await rgw.store("plain", { credentialsFile, profile: "offsite" }, { environment: {} });
    expect((await fromFile.putIfAbsent("server/file", sourceOf(Buffer.from("x")))).outcome).toBe("created");
    output.push(inspect(fromFile, { depth: 20, showHidden: true }), JSON.stringify(fromFile.usage()));
    await fromFile.close();
    const wrong = await rgw.store("plain", { credentialsFile }, { environment: {} });
    expect(await failure(wrong.head("a"))).toMatchObject(refusedWithNextStep);
    await wrong.close();
    for (const options of [
      { credentialsFile: join(folder, "none") },
      { credentialsFile, profile: "nobody" },
    ]) {
      const without = await rgw.store("plain", options, { environment: {} });
      expect(await failure(without.head("a"))).toMatchObject(refusedWithNextStep);
      await without.close();
    }
    await rm(folder, { recursive: true });
    const shown = output.join("\n");
    expect(shown.length).toBeGreaterThan(1000);
    for (const secret of [rgw.secretKey, "this/Secret+is=wrong0123456789abcdefghijk"]) {
      expect(shown).not.toContain(secret);
      expect(shown).not.toContain(Buffer.from(secret).toString("base64"));
    }
  });
});
