// The line between this machine and those it speaks to: by which way, and how fast.

import type { Proxies } from "./proxies.ts";
import type { RateLimiter } from "./rateLimiter.ts";

export type Line = {
  /** Undefined: straight, whatever the environment says. */
  readonly proxies?: Proxies | undefined;
  /** How fast bodies of requests go, all together, and bodies of answers come. Undefined: no limit. */
  readonly uploads?: RateLimiter | undefined;
  readonly downloads?: RateLimiter | undefined;
  /** Bounds what an open socket (its descriptor) has received before it is read; called where downloads are limited. */
  readonly boundReceiveBuffer?: ((descriptor: number, bytes: number) => void) | undefined;
};
