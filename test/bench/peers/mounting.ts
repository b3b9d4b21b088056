// Mounts by a foreground program, for every peer alike.

import { mkdirSync, readdirSync } from "node:fs";
import { BenchFailure } from "../failure.ts";
import { mountsBelow, unmount, watchMount } from "../lifetimes.ts";
import { type Program, startService, untilReady } from "../measure/programs.ts";
import type { Mounted } from "./peer.ts";

/** Starts `program`, which mounts on `point` and stays; `findRoot` gives the snapshot's source folder inside it. */
export async function mountWith(program: Program, point: string, findRoot: () => string): Promise<Mounted> {
  mkdirSync(point, { recursive: true });
  watchMount(point);
  const service = startService(program);
  const stop = async (): Promise<void> => {
    const gone = unmount(point);
    await service.stop();
    if (!gone && !unmount(point)) throw new BenchFailure(`${point} could not be unmounted`);
  };
  try {
    await untilReady(program, service, () => mountsBelow(point).includes(point));
    let root = "";
    await untilReady(program, service, () => {
      root = findRoot();
      return isListable(root);
    });
    return { root, pid: service.pid, unmount: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function isListable(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch {
    return false;
  }
}
