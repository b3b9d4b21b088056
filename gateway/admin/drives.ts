// The drives that a running gateway serves: the admin socket offers them, and the composition root, which knows FUSE, does them.

export type DriveRequest = {
  /** Absolute. */
  readonly mountpoint: string;
  readonly driver: "kernel" | "fuse-native";
  readonly allowOther: boolean;
  /** Show everything as owned by this user. */
  readonly asUser?: { readonly uid: number; readonly gid: number };
};

export type DriveRow = { readonly mountpoint: string };

export interface DriveOperations {
  drives(): Promise<DriveRow[]>;
  /** Mounts in the gateway's process; umount(8) ends it. @throws HoldfastError mount-failed */
  mount(request: DriveRequest): Promise<DriveRow>;
}
