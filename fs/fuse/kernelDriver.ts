// The first FUSE driver: speaks the kernel's protocol itself. It needs no native code (what of it makes it faster is optional).

import { closeSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { endianness } from "node:os";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { View } from "../view/view.ts";
import type { FuseDriver, FuseMountOptions, Mounted } from "./driver.ts";
import { FuseChannel } from "./kernel/channel.ts";
import { Invalidation } from "./kernel/invalidation.ts";
import { type DescriptorPort, detach, mountDescriptor } from "./kernel/mountHelper.ts";
import { FuseSession } from "./kernel/session.ts";
import { mountAt, prepareMountpoint } from "./mountTable.ts";

/** One request of the largest size the kernel makes; measured: 128 KiB 0.3-0.7 GB/s, 1 MiB 1.2, 4 MiB 1.0. */
const READ_AHEAD_BYTES = 1024 * 1024;

/** A drive of this driver also tells how many nodes the kernel holds. */
export type KernelMounted = Mounted & { readonly nodeCount: () => number };

export interface KernelDriver extends FuseDriver {
  mount(view: View, mountpoint: string, options: FuseMountOptions): Promise<KernelMounted>;
}

/**
 * The kernel-protocol driver (Linux). It serves from the event loop of the calling thread, which must therefore
 * never do synchronous file work below its own mountpoint.
 * @param port lets users other than root mount (see kernel/mountHelper.ts).
 */
export function kernelDriver(port?: DescriptorPort): KernelDriver {
  return { name: "kernel", mount: (view, mountpoint, options) => mount(view, mountpoint, options, port) };
}

async function mount(
  view: View,
  mountpoint: string,
  options: FuseMountOptions,
  port: DescriptorPort | undefined,
): Promise<KernelMounted> {
  if (process.platform !== "linux" || endianness() !== "LE") {
    throw new HoldfastError(ErrorCode.mountFailed, "the kernel driver needs a little-endian Linux", {
      next: "Use --driver fuse-native.",
    });
  }
  const path = await prepareMountpoint(mountpoint, (dead) => {
    options.logger.warn({ mountpoint: dead }, "clearing away the drive of a daemon that is gone");
    return detach(dead, true);
  });
  const descriptor = await mountDescriptor(path, options.allowOther ?? false, port);
  const session = new FuseSession(view, options);
  let channel: FuseChannel;
  try {
    channel = new FuseChannel(
      descriptor,
      (bytes) => session.receive(bytes),
      () => session.pending.idle,
    );
  } catch (error) {
    closeSync(descriptor);
    await detach(path, true);
    throw error;
  }
  session.attach(channel);
  const device = (await mountAt(path))?.device;
  if (process.getuid?.() === 0) await raiseReadAhead(device, options);
  const { objects, rows, filesRead, pending } = session;
  const stores = session.storeAhead(descriptor);
  const invalidation = new Invalidation({ view, objects, rows, filesRead, channel, pending, stores });
  const closed = channel.closed.then(() => {
    invalidation.stop();
    session.stop();
    return stores?.close();
  });
  let ending: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    try {
      // Whatever was mounted over or instead of our drive meanwhile is not ours to take away.
      if ((await mountAt(path))?.device === device) await detach(path, false);
    } finally {
      invalidation.stop();
      session.stop();
      await stores?.close();
      // After a lazy detach, files that are still open get ENOTCONN rather than a half-living drive.
      await channel.close();
      await closed;
    }
  };
  const unmount = (): Promise<void> => {
    ending ??= end();
    return ending;
  };
  return { mountpoint: path, unmount, closed, nodeCount: () => session.nodeCount };
}

/** INIT cannot raise the kernel's 128 KiB; sysfs can, for root. Without it the drive is only slower. */
async function raiseReadAhead(device: string | undefined, options: FuseMountOptions): Promise<void> {
  const bytes = options.readAheadBytes ?? READ_AHEAD_BYTES;
  const file = `/sys/class/bdi/${device}/read_ahead_kb`;
  await writeFile(file, String(Math.ceil(bytes / 1024))).catch((error: unknown) => {
    options.logger.info({ err: error, file }, "the kernel's read-ahead could not be raised");
  });
}
