// Holdfast as a user runs it: an agent process speaks HTTPS over the loopback interface to a gateway process.
// Only the fixed command line is used, never an import, so that this measures what is shipped.
//
// Bytes added are `sent_bytes` of the agent's last --json line. The growth of the loopback interface's byte counter over
// the step goes into the report as `loopback_bytes`: a witness that the agent does not know of. It counts both directions
// and everything else on the machine that used the interface meanwhile.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
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
import type { HoldfastRepository, Peer, PeerDescription } from "./peer.ts";
import { versionLine } from "./version.ts";

const CLI = fileURLToPath(new URL("../../../bin/holdfast", import.meta.url));
const ACCOUNT = "bench";
const AGENT = "agent";
const GATEWAY = "gateway";

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
  if (!existsSync(CLI)) return undefined;
  return {
    version: versionLine(CLI, "--version") ?? "working tree",
    flags: [
      "holdfast gateway run (own process, TLS, self-signed certificate, on 127.0.0.1)",
      "holdfast agent backup --json PATH (zstd level 2, which is fixed; its cache kept between runs)",
      "holdfast agent restore SNAPSHOT --target DIR",
      "holdfast agent mount --foreground POINT",
    ],
  };
}

type Gateway = {
  readonly data: string;
  readonly url: string;
  readonly fingerprint: string;
  readonly password: string;
  readonly service: Service;
};

async function createRepository(dir: string): Promise<HoldfastRepository> {
  const gateway = await startGateway(dir);
  return enroll(gateway, dir, "first", () => gateway.service.stop());
}

const program = (role: string, dir: string, ...args: string[]): Program => ({
  command: CLI,
  args: [...args],
  // Compiled code is kept between runs, as in any user's cache folder.
  env: { HOME: dir, NODE_COMPILE_CACHE: join(dirname(dir), "compiled") },
  role,
});

async function startGateway(dir: string): Promise<Gateway> {
  mkdirSync(dir, { recursive: true });
  const data = join(dir, "data");
  const password = join(dir, "password");
  writeFileSync(password, "correct horse battery staple\n", { mode: 0o600 });
  const port = await freePort();
  const listen = `127.0.0.1:${port}`;
  const init = program(
    GATEWAY,
    dir,
    ...["gateway", "init", "--data", data, "--listen", listen],
    ...["--recovery-key-file", join(dir, "gateway-recovery-key")],
  );
  const printed = await measure(init);
  const fingerprint = /SHA256:[0-9A-Fa-f:]{64,95}/.exec(`${printed.stdout}\n${printed.stderr}`)?.[0];
  if (fingerprint === undefined) throw new BenchFailure("gateway init printed no SHA256: fingerprint");

  const run = program(GATEWAY, dir, "gateway", "run", "--data", data);
  const service = startService(run);
  await untilReady(run, service, () => accepts(port));
  await measure(
    program(
      GATEWAY,
      dir,
      ...["account", "add", ACCOUNT, "--data", data, "--password-file", password],
      ...["--recovery-key-file", join(dir, "account-recovery-key")],
    ),
  );
  return { data, url: `https://${listen}`, fingerprint, password, service };
}

async function enroll(
  gateway: Gateway,
  dir: string,
  device: string,
  close: () => Promise<void>,
): Promise<HoldfastRepository> {
  const state = join(dir, `state-${device}`);
  const agent = (...args: string[]): Program => program(AGENT, dir, "agent", ...args, "--state", state);
  await measure(
    agent(
      ...["enroll", gateway.url, "--account", ACCOUNT, "--password-file", gateway.password],
      ...["--fingerprint", gateway.fingerprint, "--device", device],
    ),
  );
  const services = new Map([[GATEWAY, gateway.service.pid]]);
  const newest = new Map<string, string>();
  const newestOf = (source: string): string => {
    const id = newest.get(source);
    if (id === undefined) throw new BenchFailure(`holdfast has no snapshot of ${source}`);
    return id;
  };
  return {
    services,
    backup: async (source) => {
      const [wireBefore, storedBefore] = [loopbackBytes(), sizeOnDisk(gateway.data)];
      const step = await measure(agent("backup", source, "--item", itemOf(source), "--json"), services);
      const done = lastEvent(step);
      newest.set(source, done.snapshot);
      const reported: Record<string, number> = {
        loopback_bytes: loopbackBytes() - wireBefore,
        stored_growth: sizeOnDisk(gateway.data) - storedBefore,
      };
      for (const [key, value] of Object.entries(done)) if (typeof value === "number") reported[key] = value;
      return { step, addedBytes: done.sent_bytes, reported };
    },
    restore: async (source, target) => ({
      step: await measure(agent("restore", newestOf(source), "--target", target), services),
      root: join(target, source),
    }),
    storedBytes: () => sizeOnDisk(gateway.data),
    mount: (source, point) =>
      mountWith(agent("mount", point, "--foreground"), point, () =>
        join(point, ACCOUNT, device, itemOf(source), "latest", source),
      ),
    close,
    forgetCache: () => {
      const cache = join(state, "cache");
      if (!existsSync(cache)) throw new BenchFailure(`the agent's cache was not found at ${cache}`);
      rmSync(cache, { recursive: true });
    },
    enrollAnother: (another) => enroll(gateway, dir, another, async () => {}),
  };
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

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
