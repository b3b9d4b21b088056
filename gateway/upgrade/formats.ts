// The format of a data directory's own tables, and how an older one becomes the newest (docs/upgrades.md). What vaults are on disks and in replicas is
// docs/format.md, and has versions and features of its own.
//
// A table that is added, and a member that may be absent, need no new format: older programs pass over them. A format is for what an older program
// would read wrongly.

import type { IndexEnvironment } from "../index/environment.ts";

export type Migration = {
  /** The format that it makes of the one before. */
  readonly to: number;
  /** For the log: "jobs are kept by kind". */
  readonly what: string;
  readonly catalog?: (environment: IndexEnvironment) => void | Promise<void>;
  /** Of each vault. `vault`: its id. */
  readonly vault?: (environment: IndexEnvironment, vault: string) => void | Promise<void>;
};

export type Formats = {
  /** The newest that is known: what the program reads and writes. */
  readonly newest: number;
  /** From format 1 on. */
  readonly migrations: readonly Migration[];
};

export const formats: Formats = { newest: 1, migrations: [] };
