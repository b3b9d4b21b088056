// One contract for every backup program in the benchmark. A peer is a program; a repository is one place it keeps backups.

import type { Measurement } from "../measure/programs.ts";

export const PeerName = { holdfast: "holdfast", restic: "restic", borg: "borg" } as const;
export type PeerName = (typeof PeerName)[keyof typeof PeerName];

export type PeerDescription = {
  readonly version: string;
  /** What it was told, as command lines, so that a reader can judge the comparison. */
  readonly flags: readonly string[];
};

export type Peer = {
  readonly name: PeerName;
  /** The program's version and flags; undefined when it is not installed. */
  readonly describe: () => PeerDescription | undefined;
  /** Makes an empty repository, with its own caches, all under `dir`. */
  readonly create: (dir: string) => Promise<Repository>;
};

export type Backup = {
  readonly step: Measurement;
  /** Bytes this backup added or sent; see the comment in each peer's file for where the number comes from. */
  readonly addedBytes: number;
  /** Other byte counts that the program gave, for the JSON report. */
  readonly reported: Readonly<Record<string, number>>;
};

export type Mounted = {
  /** The source folder as it is seen in the mount. */
  readonly root: string;
  readonly pid: number;
  readonly unmount: () => Promise<void>;
};

export type Repository = {
  /** Processes that serve while a step runs (role to PID): measured with every step. */
  readonly services: ReadonlyMap<string, number>;
  /** Backs up one absolute folder; a second call of the same folder is a later snapshot of the same item. */
  readonly backup: (source: string) => Promise<Backup>;
  /** Restores the newest snapshot of `source` below `target`; `root` is where the folder came out. */
  readonly restore: (
    source: string,
    target: string,
  ) => Promise<{ readonly step: Measurement; readonly root: string }>;
  /** Bytes the repository takes on disk, without any local cache of the client. */
  readonly storedBytes: () => number;
  /** Mounts the newest snapshot of `source`; resolves when its root can be listed. */
  readonly mount: (source: string, point: string) => Promise<Mounted>;
  readonly close: () => Promise<void>;
};

/** A WebDAV server in front of a snapshot: `url` is the source folder's, and ends in a slash. */
export type WebDav = {
  readonly url: string;
  /** For the Authorization header, where the server asks for one. */
  readonly authorization?: string;
  /** Processes that serve (role to PID). */
  readonly services: ReadonlyMap<string, number>;
  readonly stop: () => Promise<void>;
};

/** What only Holdfast is asked to do. Its `mount` is the gateway's own drive. */
export type HoldfastRepository = Repository & {
  /** Mounts the newest snapshot of `source` on the agent's machine: records come over HTTPS. */
  readonly agentMount: (source: string, point: string) => Promise<Mounted>;
  /** The gateway's WebDAV, just started. */
  readonly webdav: (source: string) => Promise<WebDav>;
  /** Where the gateway listens. */
  readonly url: string;
  /** The gateway's data directory. */
  readonly data: string;
  /** Runs an administrator's command of the running gateway to its end. */
  readonly admin: (...args: string[]) => Promise<Measurement>;
  /** Deletes the agent's local cache, as a user may at any time. */
  readonly forgetCache: () => void;
  /** Backs up what a command line prints, as a file of this name. */
  readonly backUpOutput: (command: string, name: string) => Promise<Backup>;
  /** Another device of the same account, which has never seen anything; `isolated`: and finds nothing that others sent. */
  readonly enrollAnother: (device: string, isolated?: "isolated") => Promise<HoldfastRepository>;
};
