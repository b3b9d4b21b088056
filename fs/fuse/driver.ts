// What every FUSE driver offers: one read-only view mounted at one directory. The kernel-protocol
// driver (kernelDriver.ts) is the first choice on Linux; nativeDriver.ts is the second one.

import type { View } from "../view/view.ts";

/** Where a driver writes what nobody is waiting for; pino loggers fit. */
export interface FuseLogger {
  info(detail: object, message: string): void;
  warn(detail: object, message: string): void;
  error(detail: object, message: string): void;
}

export type FuseMountOptions = {
  readonly logger: FuseLogger;
  /**
   * Let users other than the mounting one in; the kernel then checks archived owners, modes and
   * ACLs. Users other than root need `user_allow_other` in /etc/fuse.conf for it.
   */
  readonly allowOther?: boolean;
  /** Show everything as owned by this user (the archived owner is hidden, modes stay). */
  readonly asUser?: { readonly uid: number; readonly gid: number };
  /**
   * False: the drive has no xattrs and ACLs, and the kernel never asks for them again. Worth it where
   * `ls -l` must be fast, which asks for two of every file; archived ACLs are then not enforced.
   */
  readonly xattrs?: boolean;
  /** How far the kernel reads ahead of a sequential reader, in bytes: 1 MiB, where root may say so; else 128 KiB. */
  readonly readAheadBytes?: number;
};

export interface Mounted {
  readonly mountpoint: string;
  /** Detaches the drive (lazily when it is busy) and frees everything. Safe to call twice. */
  unmount(): Promise<void>;
  /** Resolves once the drive is gone, by unmount() or by umount(8) from outside. Never rejects. */
  readonly closed: Promise<void>;
}

export interface FuseDriver {
  readonly name: "kernel" | "fuse-native";
  /**
   * Mounts `view` read-only at the empty directory `mountpoint`. A dead mount of ours that is
   * still there is cleared away first.
   * @throws HoldfastError mount-failed, with the next step.
   */
  mount(view: View, mountpoint: string, options: FuseMountOptions): Promise<Mounted>;
}
