// A service under the eyes of systemd: ready, alive, stopping (sd_notify(3), sd_watchdog_enabled(3)). Without systemd all of it does nothing.

import type { ServiceNotifier } from "../../agent/platform/serviceNotify.ts";

export type Watched = {
  /** It does what it is for. */
  ready(status: string): void;
  /** What `systemctl status` shows. */
  status(status: string): void;
  /** It lives. To be said more often than every `aliveMs`. */
  alive(): void;
  /** It ends, and takes its time. */
  stopping(): void;
  /** How often `alive` is wanted, in milliseconds; undefined where nobody waits for it. */
  readonly aliveMs: number | undefined;
};

const nobody: Watched = {
  ready: () => undefined,
  status: () => undefined,
  alive: () => undefined,
  stopping: () => undefined,
  aliveMs: undefined,
};

/**
 * What systemd wants to be told by this process. The variables that say so are taken out of `environment`, so that no child takes itself for
 * the service.
 */
export async function watchedService(environment: NodeJS.ProcessEnv): Promise<Watched> {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdog, WATCHDOG_PID: pid } = environment;
  delete environment.NOTIFY_SOCKET;
  delete environment.WATCHDOG_USEC;
  delete environment.WATCHDOG_PID;
  if (socket === undefined || socket === "") return nobody;
  const { serviceNotifier } = await import("../../agent/platform/serviceNotify.ts");
  const notify = serviceNotifier(socket);
  if (notify === undefined) return nobody;
  const isForUs = pid === undefined || Number(pid) === process.pid;
  const micros = isForUs && /^[1-9]\d{0,14}$/.test(watchdog ?? "") ? Number(watchdog) : undefined;
  return watchedBy(notify, micros === undefined ? undefined : micros / 1000);
}

/** `killedAfterMs`: how long after its last word a silent service is killed. */
function watchedBy(notify: ServiceNotifier, killedAfterMs: number | undefined): Watched {
  const said = (status: string): string => `STATUS=${status.replaceAll(/\s+/g, " ")}`;
  return {
    ready: (status) => void notify("READY=1", said(status)),
    status: (status) => void notify(said(status)),
    alive: () => void notify("WATCHDOG=1"),
    stopping: () => void notify("STOPPING=1"),
    aliveMs: killedAfterMs === undefined ? undefined : killedAfterMs / 3,
  };
}
