// The line between this machine and those it speaks to: by which way, and how fast.

import type { Proxies } from "./proxies.ts";

export type Line = {
  /** Undefined: straight, whatever the environment says. */
  readonly proxies?: Proxies | undefined;
};
