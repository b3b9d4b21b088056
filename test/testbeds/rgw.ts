// A real S3 server for tests: Ceph's RADOS Gateway on loopback, with a folder of its own.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3";
import type { ReplicaOptions } from "../../gateway/catalog/replicas.ts";
import type { ReplicaStore } from "../../gateway/replica/replicaStore.ts";
import type { S3Context } from "../../gateway/replica/s3/s3Calls.ts";
import { openS3Store } from "../../gateway/replica/s3/s3Store.ts";
import { canRun } from "../faults/requirements.ts";

const run = promisify(execFile);
const script = new URL("rgw-up.sh", import.meta.url).pathname;

/** Whether the server can run here; on CI it must. */
export function canRunRgw(what: string): boolean {
  return canRun(what, "radosgw", "ceph-mon", "ceph-osd", "curl");
}

/** Short pauses, so that faults pass quickly. */
const quick = { firstPauseMs: 5, pauseMaxMs: 40 };

export type Daemon = "mon.a" | "osd.0" | "client.rgw";

export class Rgw {
  readonly endpoint: string;
  readonly accessKey = "HOLDFASTTESTKEY00000";
  readonly secretKey = "never+To/be$een=inAnyOutput0123456789ABC";
  readonly #folder: string;
  readonly #ports: readonly [number, number];
  readonly #blockBytes: number | undefined;
  readonly #client: S3Client;

  private constructor(folder: string, ports: readonly [number, number], blockBytes?: number) {
    this.#blockBytes = blockBytes;
    this.#folder = folder;
    this.#ports = ports;
    this.endpoint = `http://127.0.0.1:${ports[0]}`;
    this.#client = new S3Client({
      endpoint: this.endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: this.accessKey, secretAccessKey: this.secretKey },
    });
  }

  /** Starts one; takes about 8 s. `folder`: where it keeps everything, to be made by it; `blockBytes`: size of its disk, a sparse file. */
  static async start(place: { readonly folder?: string; readonly blockBytes?: number } = {}): Promise<Rgw> {
    const folder = place.folder ?? (await mkdtemp(join(tmpdir(), "holdfast-rgw-")));
    const ports = await freePorts();
    const rgw = new Rgw(folder, ports, place.blockBytes);
    try {
      await rgw.#up([]);
    } catch (error) {
      await rgw.stop();
      throw error;
    }
    return rgw;
  }

  /** Credentials for a replica, as environment variables. */
  get environment(): Record<string, string> {
    return { AWS_ACCESS_KEY_ID: this.accessKey, AWS_SECRET_ACCESS_KEY: this.secretKey };
  }

  /** Options of a replica here, by way of another endpoint (a proxy's) where one is given. */
  options(endpoint = this.endpoint): ReplicaOptions {
    return { endpoint, region: "us-east-1", pathStyle: true };
  }

  async makeBucket(name: string, kind: "plain" | "versioned" | "locked" = "plain"): Promise<void> {
    await this.#client.send(
      new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: kind === "locked" }),
    );
    if (kind !== "versioned") return;
    await this.#client.send(
      new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration: { Status: "Enabled" } }),
    );
  }

  /** A store in a bucket here; pauses and windows are short. `options` change what `options()` gives. */
  async store(
    bucket: string,
    options: ReplicaOptions = {},
    { conditionalPuts = true, tuning = {} as S3Context["tuning"], environment = this.environment } = {},
  ): Promise<ReplicaStore> {
    const replica = {
      url: `s3://${bucket}/box`,
      options: { ...this.options(), ...options },
      conditionalPuts,
    };
    return openS3Store(replica, { ...this.context, environment, tuning: { ...quick, ...tuning } });
  }

  /** What stores here are opened with. */
  get context(): S3Context {
    return { now: () => new Date(), environment: this.environment, tuning: quick };
  }

  /** A client of the SDK, for looking and meddling behind the store's back. */
  get client(): S3Client {
    return this.#client;
  }

  /** Runs radosgw-admin. */
  async admin(...parts: string[]): Promise<string> {
    const environment = { ...process.env, CEPH_CONF: join(this.#folder, "c") };
    return (await run("radosgw-admin", parts, { env: environment })).stdout;
  }

  /** GETs of objects that the server answered since it was started, by its own counter. */
  async gets(): Promise<number> {
    const socket = join(this.#folder, "client.rgw.asok");
    const { stdout } = await run("ceph", ["--admin-daemon", socket, "perf", "dump", "rgw"]);
    return (JSON.parse(stdout) as { rgw: { get: number } }).rgw.get;
  }

  /** Sends a signal to a daemon; after SIGKILL waits until it is gone. */
  async signal(daemon: Daemon, signal: NodeJS.Signals): Promise<void> {
    const pid = await this.#pid(`${daemon}.pid`);
    if (pid === undefined) return;
    process.kill(pid, signal);
    if (signal !== "SIGKILL") return;
    while (await this.#isOurs(pid)) await pause(20);
    await rm(join(this.#folder, `${daemon}.pid`), { force: true });
  }

  /** Starts the S3 server again after it was killed. `configuration`: lines for its part of ceph.conf, until the next start. */
  async startGateway(configuration = ""): Promise<void> {
    const path = join(this.#folder, "c");
    const [general] = (await readFile(path, "utf8")).split("[client.rgw]\n");
    await writeFile(path, `${general}[client.rgw]\n${configuration}\n`);
    await this.#up(["gateway"]);
  }

  /** Kills all daemons and removes what they kept. */
  async stop(): Promise<void> {
    this.#client.destroy();
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith(".pid"));
    for (const name of names) await this.signal(name.slice(0, -4) as Daemon, "SIGKILL");
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #up(more: readonly string[]): Promise<void> {
    const [s3, mon] = this.#ports;
    await run("bash", [script, this.#folder, String(s3), String(mon), ...more], {
      env: {
        ...process.env,
        RGW_ACCESS_KEY: this.accessKey,
        RGW_SECRET_KEY: this.secretKey,
        ...(this.#blockBytes !== undefined && { RGW_BLOCK_BYTES: String(this.#blockBytes) }),
      },
    });
  }

  async #pid(file: string): Promise<number | undefined> {
    const text = await readFile(join(this.#folder, file), "utf8").catch(() => "");
    const pid = Number(text.trim());
    return pid > 1 && (await this.#isOurs(pid)) ? pid : undefined;
  }

  /** Whether a process is there and is one of Ceph's: a number may be another's by now. */
  async #isOurs(pid: number): Promise<boolean> {
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    return /^(ceph-mon|ceph-osd|radosgw)\0/.test(command);
  }
}

/** A port for S3, and one of two neighbours for the monitor. */
async function freePorts(): Promise<[number, number]> {
  const listen = (port: number) =>
    new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
      const server = createServer().once("error", reject);
      server.listen(port, "127.0.0.1", () => resolve(server));
    });
  for (;;) {
    const servers = [await listen(0), await listen(0)];
    const ports = servers.map((server) => (server.address() as { port: number }).port) as [number, number];
    try {
      servers.push(await listen(ports[1] + 1));
      return ports;
    } catch {
      // the neighbour is taken: others are tried
    } finally {
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    }
  }
}
