// A drive that is measured: whose, how it is mounted, and what serves it.

import { join } from "node:path";
import { prepareCaches } from "../measure/caches.ts";
import { type HoldfastRepository, type Mounted, PeerName, type Repository } from "../peers/peer.ts";
import type { Column } from "../samples.ts";
import type { Context } from "./context.ts";

/** Processes that serve while a step runs (role to PID). */
export type Services = ReadonlyMap<string, number>;

export type DriveCase = {
  /** Comes before the names of the rows. */
  readonly prefix: string;
  readonly column: Column;
  readonly mount: () => Promise<Mounted>;
  /** What serves besides the mounting process itself; asked when it is mounted. */
  readonly services: Services;
};

/** Mounts, does `work`, and unmounts in any case. */
export async function onFreshMount(
  context: Context,
  drive: DriveCase,
  work: (mount: Mounted, services: Services) => Promise<void>,
): Promise<void> {
  const mount = await drive.mount();
  try {
    prepareCaches(context.caches, [], context.dir);
    await work(mount, new Map([...drive.services, ["mount", mount.pid]]));
  } finally {
    await mount.unmount();
  }
}

/** A program and where it keeps what it made in this run. */
export type Turn = { readonly name: PeerName; readonly repository: Repository; readonly dir: string };

/** The drive of a program: for Holdfast the gateway's. */
export function driveOf({ name, repository, dir }: Turn, source: string): DriveCase {
  const mount = (): Promise<Mounted> => repository.mount(source, join(dir, "mnt"));
  return { prefix: "", column: name, mount, services: repository.services };
}

/** The drive on the agent's machine, below `home`. */
export function agentDriveOf(own: HoldfastRepository, home: string, source: string): DriveCase {
  const mount = (): Promise<Mounted> => own.agentMount(source, join(home, "agent-mnt"));
  return { prefix: "agent-", column: PeerName.holdfast, mount, services: own.services };
}
