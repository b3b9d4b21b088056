// The threads that open records of drives.

import { extname } from "node:path";
import { selectEngines } from "../../agent/platform/engines.ts";
import { OpenPool } from "../../fs/view/openPool.ts";

/** Whoever makes it closes it. */
export function openThreads(): OpenPool {
  return new OpenPool({
    worker: new URL(`./openWorker${extname(import.meta.url)}`, import.meta.url),
    engines: selectEngines,
  });
}
