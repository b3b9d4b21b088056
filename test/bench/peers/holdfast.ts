// Holdfast as a user runs it: an agent process speaks HTTPS over the loopback interface to a gateway process.
// Only the fixed command line is used, never an import, so that this measures what is shipped.
//
// Bytes added are `sent_bytes` of the agent's last --json line. The growth of the loopback interface's byte counter over
// the step goes into the report as `loopback_bytes`: a witness that the agent does not know of. It counts both directions
// and everything else on the machine that used the interface meanwhile.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

import { launcherPath } from "../../programWords.ts";
import { BenchFailure } from "../failure.ts";
import {
  type Measurement,
  measure,
  type Program,
  type Service,
  startService,
  untilReady,
} from "../measure/programs.ts";
import { sizeOnDisk } from "../measure/size.ts";
import { mountWith } from "./mounting.ts";
import type { Backup, HoldfastRepository, Peer, PeerDescription } from "./peer.ts";
import { accepts, freePort } from "./ports.ts";
import { versionLine } from "./version.ts";

export const ACCOUNT = "bench";
const AGENT = "agent";
const GATEWAY = "gateway";
const ADMIN = "admin";

type Done = {
  readonly event: "done";
  readonly snapshot: string;
  readonly sent_bytes: number;
  readonly bytes: number;
  readonly [extra: string]: unknown;
};

export const holdfast: Omit<Peer, "create"> & {
  readonly create: (dir: string) => Promise<HoldfastRepository>;
} = {
  name: "holdfast",
  describe: describeHoldfast,
  create: createRepository,
};

function describeHoldfast(): PeerDescription | undefined {
  const launcher = launcherPath();
  if (!existsSync(launcher)) return undefined;
  return {
    version: versionLine(launcher, "--version") ?? "working tree",
    flags: [
      "built as it is shipped: compiled, its modules joined",
      "holdfast gateway run (own process, TLS, self-signed certificate, on 127.0.0.1)",
      "holdfast agent backup --json PATH (zstd level 2, which is fixed; its cache kept between runs)",
      "holdfast agent restore SNAPSHOT --target DIR",
      "holdfast gateway mount --foreground POINT (without a running gateway; its own process)",
      "holdfast agent mount --foreground POINT (over HTTPS; rows of the agent mount)",
      "https://.../dav/ of the running gateway, unlocked, with an app password (rows of WebDAV)",
    ],
  };
}

async function createRepository(dir: string): Promise<HoldfastRepository> {
  const gateway = await startGateway(dir);
  return enroll(gateway, dir, "first", () => gateway.stop());
}

export const program = (role: string, dir: string, ...args: string[]): Program => ({
  command: launcherPath(),
  args: [...args],
  // Compiled code is kept between runs, as in any user's cache folder: beside the folder of a run, which is removed with it.
  env: { HOME: dir, NODE_COMPILE_CACHE: join(dirname(dirname(dir)), "compiled") },
  role,
});

/** A gateway's data directory, and the process that serves it while there is one. */
type Gateway = {
  readonly data: string;
  readonly url: string;
  readonly fingerprint: string;
  readonly password: string;
  /** Role to PID of the serving process, kept true. */
  readonly services: ReadonlyMap<string, number>;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Runs an administrator's command to its end. */
  readonly admin: (...args: string[]) => Promise<Measurement>;
};

async function startGateway(dir: string): Promise<Gateway> {
  mkdirSync(dir, { recursive: true });
  const data = join(dir, "data");
  const password = join(dir, "password");
  writeFileSync(password, "correct horse battery staple\n", { mode: 0o600 });
  const port = await freePort();
  const listen = `127.0.0.1:${port}`;
  const admin = (...args: string[]): Promise<Measurement> =>
    measure(program(GATEWAY, dir, ...args, "--data", data));
  const recovery = join(dir, "gateway-recovery-key");
  const printed = await admin("gateway", "init", "--listen", listen, "--recovery-key-file", recovery);
  const fingerprint = /SHA256:[0-9A-Fa-f:]{64,95}/.exec(`${printed.stdout}\n${printed.stderr}`)?.[0];
  if (fingerprint === undefined) throw new BenchFailure("gateway init printed no SHA256: fingerprint");

  const run = program(GATEWAY, dir, "gateway", "run", "--data", data);
  const services = new Map<string, number>();
  let service: Service | undefined;
  const start = async (): Promise<void> => {
    service = startService(run);
    services.set(GATEWAY, service.pid);
    await untilReady(run, service, () => accepts(port));
  };
  const stop = async (): Promise<void> => {
    services.delete(GATEWAY);
    await service?.stop();
  };
  await start();
  try {
    await admin(
      ...["account", "add", ACCOUNT, "--password-file", password],
      ...["--recovery-key-file", join(dir, "account-recovery-key")],
    );
  } catch (error) {
    // Nobody else would, and the benchmark waits for its processes.
    await stop();
    throw error;
  }
  return { data, url: `https://${listen}`, fingerprint, password, services, start, stop, admin };
}

async function enroll(
  gateway: Gateway,
  dir: string,
  device: string,
  close: () => Promise<void>,
  isolated?: "isolated",
): Promise<HoldfastRepository> {
  const state = join(dir, `state-${device}`);
  const agent = (...args: string[]): Program => program(AGENT, dir, "agent", ...args, "--state", state);
  await measure(
    agent(
      ...["enroll", gateway.url, "--account", ACCOUNT, "--password-file", gateway.password],
      ...["--fingerprint", gateway.fingerprint, "--device", device],
      ...(isolated === undefined ? [] : ["--isolated"]),
    ),
  );
  const { services } = gateway;
  const shownAt = (source: string): string => join(ACCOUNT, device, itemOf(source), "latest", source);
  let appPassword: string | undefined;
  const newest = new Map<string, string>();
  const newestOf = (source: string): string => {
    const id = newest.get(source);
    if (id === undefined) throw new BenchFailure(`holdfast has no snapshot of ${source}`);
    return id;
  };
  const backUp = async (...words: string[]): Promise<Backup & { readonly snapshot: string }> => {
    const [wireBefore, storedBefore] = [loopbackBytes(), sizeOnDisk(gateway.data)];
    const step = await measure(agent("backup", ...words, "--json"), services);
    const done = lastEvent(step);
    const reported: Record<string, number> = {
      loopback_bytes: loopbackBytes() - wireBefore,
      stored_growth: sizeOnDisk(gateway.data) - storedBefore,
    };
    for (const [key, value] of Object.entries(done)) if (typeof value === "number") reported[key] = value;
    return { step, addedBytes: done.sent_bytes, reported, snapshot: done.snapshot };
  };
  return {
    services,
    url: gateway.url,
    data: gateway.data,
    admin: (...args) => measure(program(ADMIN, dir, ...args, "--data", gateway.data), services),
    backup: async (source) => {
      const { snapshot, ...backup } = await backUp(source, "--item", itemOf(source));
      newest.set(source, snapshot);
      return backup;
    },
    backUpOutput: (command, name) => backUp("--item", "output", "--program", command, "--as", name),
    restore: async (source, target) => ({
      step: await measure(agent("restore", newestOf(source), "--target", target), services),
      root: join(target, source),
    }),
    storedBytes: () => sizeOnDisk(gateway.data),
    mount: async (source, point) => {
      // The drive of a gateway that runs would share its process; a stopped one leaves its data to the mount.
      await gateway.stop();
      const drive = program(
        GATEWAY,
        dir,
        ...["gateway", "mount", point, "--foreground", "--account", ACCOUNT],
        ...["--data", gateway.data, "--password-file", gateway.password],
      );
      const mounted = await mountWith(drive, point, () => join(point, shownAt(source)));
      const unmount = async (): Promise<void> => {
        await mounted.unmount();
        await gateway.start();
      };
      return { ...mounted, unmount };
    },
    agentMount: (source, point) =>
      mountWith(
        // An empty cache on disk for each: a fresh mount is one that never read anything.
        agent("mount", point, "--foreground", "--cache-dir", mkdtempSync(join(dir, "drive-cache-"))),
        point,
        () => join(point, shownAt(source)),
      ),
    webdav: async (source) => {
      // Started afresh, so that no cache of an earlier drive helps.
      await gateway.stop();
      await gateway.start();
      await gateway.admin("vault", "unlock", ACCOUNT, "--password-file", gateway.password);
      appPassword ??= await newAppPassword(gateway);
      return {
        url: `${gateway.url}/dav/${shownAt(source)}/`,
        authorization: `Basic ${Buffer.from(`${ACCOUNT}:${appPassword}`).toString("base64")}`,
        services,
        stop: async () => {},
      };
    },
    close,
    forgetCache: () => {
      const cache = join(state, "cache");
      if (!existsSync(cache)) throw new BenchFailure(`the agent's cache was not found at ${cache}`);
      rmSync(cache, { recursive: true });
    },
    enrollAnother: (another, isolated) => enroll(gateway, dir, another, async () => {}, isolated),
  };
}

/** The folder of the only vault of a gateway or box, by its data directory. */
export function onlyVault({ data }: { readonly data: string }): string {
  const [vault, ...others] = readdirSync(join(data, "vaults"));
  if (vault === undefined || others.length > 0) throw new BenchFailure(`${data} has not one vault`);
  return join(data, "vaults", vault);
}

async function newAppPassword({ admin }: Gateway): Promise<string> {
  const printed = await admin("account", "app-password", ACCOUNT, "--label", "bench", "--json");
  return (JSON.parse(printed.stdout.trim().split("\n").at(-1) ?? "") as { password: string }).password;
}

const itemOf = (source: string): string => basename(source);

/** The last line of `agent backup --json`. Throws BenchFailure when it is not the documented one. */
function lastEvent(step: Measurement): Done {
  const line = step.stdout.trim().split("\n").at(-1) ?? "";
  try {
    const done = JSON.parse(line) as Partial<Done>;
    if (done.event === "done" && typeof done.snapshot === "string" && typeof done.sent_bytes === "number") {
      return done as Done;
    }
  } catch {
    // not JSON: said below
  }
  throw new BenchFailure(`agent backup --json ended with an unexpected line: ${line}`);
}

function loopbackBytes(): number {
  return Number(readFileSync("/sys/class/net/lo/statistics/tx_bytes", "latin1"));
}
