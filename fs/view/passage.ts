// Who may pass through a folder that stands for many versions of a directory: nobody whom one of them would have stopped.
//
// Drives let the kernel compare owners and modes folder by folder. A history folder has no owner of its own, and without this it
// would be a way around a directory that only its owner may enter.

/** Owner and mode of a directory. `listed`: an access-control list may say less than the mode does. */
export type Passage = {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly listed: boolean;
};

/** What all versions so far have in common. */
export type CommonPassage = {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** Versions with different owners were seen: root owns the folder. */
  readonly mixed: boolean;
  /** Three bits: what owner, group and others have in every version. */
  readonly everyone: number;
};

/** One more version. */
export function narrowed(common: CommonPassage | undefined, version: Passage): CommonPassage {
  // What a list grants or takes is not looked into: only the owner is sure of his rights.
  const mode = version.listed ? version.mode & 0o700 : version.mode & 0o777;
  const everyone = (mode >> 6) & (mode >> 3) & mode & 0o7;
  if (common === undefined) return { uid: version.uid, gid: version.gid, mode, mixed: false, everyone };
  const mixed = common.mixed || common.uid !== version.uid || common.gid !== version.gid;
  return { ...common, mode: common.mode & mode, mixed, everyone: common.everyone & everyone };
}

/** Owner and mode of the folder; anybody may pass where there was never a directory. */
export function passageAttributes(common: CommonPassage | undefined): {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
} {
  if (common === undefined) return { uid: 0, gid: 0, mode: 0o755 };
  const { uid, gid, mode, mixed, everyone } = common;
  return mixed ? { uid: 0, gid: 0, mode: 0o700 | (everyone << 3) | everyone } : { uid, gid, mode };
}
