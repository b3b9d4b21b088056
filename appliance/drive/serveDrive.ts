// Mounts a view and keeps it mounted until somebody unmounts it or the program is to stop.

import type { FuseLogger, Mounted } from "../../fs/fuse/driver.ts";
import type { View } from "../../fs/view/view.ts";
import { type DriveOptions, loadDriver, mountOptions } from "./driveOptions.ts";

/** Mounts. @throws HoldfastError mount-failed */
export async function mountDrive(
  view: View,
  mountpoint: string,
  options: DriveOptions,
  logger: FuseLogger,
): Promise<Mounted> {
  const driver = await loadDriver(options.driver);
  return driver.mount(view, mountpoint, mountOptions(options, logger));
}

/** Resolves when the drive is gone: by umount(8), or because `signal` was aborted and it was unmounted here. */
export async function untilUnmounted(mounted: Mounted, signal: AbortSignal): Promise<void> {
  const unmount = (): void => {
    mounted.unmount().catch(() => undefined); // what could not be detached is told by `closed` never coming
  };
  if (signal.aborted) unmount();
  else signal.addEventListener("abort", unmount, { once: true });
  await mounted.closed;
  signal.removeEventListener("abort", unmount);
  // Idempotent; it also waits for a detach that is still under way.
  await mounted.unmount();
}
