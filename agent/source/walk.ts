// What a walk is told, what it counts, and where it is.

import type { EmitPage } from "../../vault/tree/directoryWriter.ts";
import type { ChunkRef } from "../../vault/tree/entry.ts";
import type { Failure } from "../backup/failure.ts";
import type { Platform } from "../platform/port.ts";
import type { Backlog, DirectoryBuild, PreviousDirectory } from "./directoryBuild.ts";
import type { FileRead, FileToRead } from "./fileIntake.ts";
import type { Filter, FolderFilter } from "./filter.ts";
import type { OpenDirectory } from "./openDirectory.ts";
import type { Portion } from "./portion.ts";
import type { PreviousTree } from "./previousTree.ts";
import type { StandIns } from "./standIns.ts";
import type { TopNode } from "./topPaths.ts";

/** Takes in the files that must be read. */
export interface Intake {
  /** True while a file can be taken without waiting. */
  readonly hasRoom: boolean;
  room(): Promise<void>;
  /** Takes a file; `done` is called once, with its content by ids. */
  take(file: FileToRead, done: (read: FileRead) => void): void;
  /** Called now and then while the walk goes on. */
  age(): void;
  /** Starts everything that was taken. */
  flush(): void;
}

export type WalkOptions = {
  readonly platform: Platform;
  readonly intake: Intake;
  readonly emitDirectory: EmitPage;
  /** Stores an xattrs record and returns its id. */
  readonly emitXattrs: (plaintext: Buffer) => Buffer;
  readonly splitTable: Uint32Array;
  readonly filter: Filter;
  /** The tree to compare with, and when the run that made it began (ms); undefined reads everything. */
  readonly previous:
    | {
        readonly tree: PreviousTree;
        readonly root: ChunkRef & { readonly id: Buffer };
        readonly timeMs: number;
        /** The run that made it stopped at a limit. */
        readonly incomplete: boolean;
      }
    | undefined;
  /** Another item's tree: files are read all the same, and only where content is may be taken over. */
  readonly reference:
    | { readonly tree: PreviousTree; readonly root: ChunkRef & { readonly id: Buffer } }
    | undefined;
  readonly portion: Portion;
  /** Number of the first file system that `previous` does not have (DeviceNumbers). */
  readonly firstDevice: bigint;
  /**
   * Records (ids as latin1) that nothing is to be taken over from although it did not change: bundles that files are to leave, and what the
   * gateway lacks. Pages of directories among them are made again.
   */
  readonly move: ReadonlySet<string>;
  /** Reads every file, whatever its times say. */
  readonly rescan: boolean;
  /** Objects' numbers say nothing: their file system gives them anew. */
  readonly ignoreInodes: boolean;
  readonly oneFileSystem: boolean;
  readonly excludeCaches: boolean;
  /** The gateway that the backup goes to, if it tells; asked only where a folder may be its own. */
  readonly gatewayId: () => Promise<string | undefined>;
  /** Where sources are read from snapshots of them. */
  readonly standIns: StandIns | undefined;
  readonly warn: (path: Uint8Array, what: string) => void;
  /** Resolves when the buffers behind the walk have room; rejects when the run failed. */
  readonly breathe: () => Promise<void>;
  readonly hasRoom: () => boolean;
  readonly failure: Failure;
  readonly backlog: Backlog;
};

/** What was seen; grows during the walk. */
export type WalkCounts = {
  files: number;
  dirs: number;
  others: number;
  bytes: number;
  filesRead: number;
  bytesRead: number;
  /** Files that were there before, with other content; and those that were not. */
  changed: number;
  added: number;
  /** Summed over folders: names that came or names that went, whichever are less. */
  renamed: number;
  /** Files that were read though nothing but their numbers (inodes) had changed. */
  renumbered: number;
};

/** Counts a file of the new tree. `wasThere`: the previous one has it too. */
export function countFile(counts: WalkCounts, size: number, wasThere: boolean): void {
  counts.files += 1;
  counts.bytes += size;
  if (!wasThere) counts.added += 1;
}

/** The folder that is being walked. */
export type Folder = {
  readonly directory: OpenDirectory;
  readonly path: Buffer;
  readonly build: DirectoryBuild;
  readonly previous: PreviousDirectory | undefined;
  readonly reference: PreviousDirectory | undefined;
  /** Undefined on the way to what was named. */
  readonly filter: FolderFilter | undefined;
  readonly top: TopNode | undefined;
  readonly mount: number;
  readonly depth: number;
  /** Names in it that the previous snapshot does not have, and those that it has too. */
  readonly names: { fresh: number; known: number };
};

const SLASH = 0x2f;

export function joinPath(path: Buffer, name: Uint8Array): Buffer {
  const joined = Buffer.allocUnsafe(path.length + 1 + name.length);
  joined.set(path);
  joined[path.length] = SLASH;
  joined.set(name, path.length + 1);
  return joined;
}
