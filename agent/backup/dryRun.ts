// Tells what a backup would read, and sends nothing: the same walk and the same comparison with the previous snapshot, but files
// go to an intake that counts them instead of reading, and pages of the new tree are dropped.

import { createHash } from "node:crypto";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import type { SnapshotBody } from "../../vault/snapshot.ts";
import { selectPlatform } from "../platform/select.ts";
import { Backlog } from "../source/directoryBuild.ts";
import type { FileRead, FileToRead } from "../source/fileIntake.ts";
import { Filter } from "../source/filter.ts";
import { PageCache } from "../source/pageCache.ts";
import { Portion, type Stopped } from "../source/portion.ts";
import { PreviousTree } from "../source/previousTree.ts";
import { topTree } from "../source/topPaths.ts";
import { type Intake, joinPath, type WalkCounts } from "../source/walk.ts";
import { Walker } from "../source/walker.ts";
import { portionAfter } from "./baseTree.ts";
import { Failure } from "./failure.ts";
import { previousPages } from "./previousPages.ts";
import type { BackupRequest } from "./request.ts";

export type FoundFile = {
  readonly path: Buffer;
  readonly size: number;
  /** Whether the previous snapshot has a file there. */
  readonly change: "new" | "changed";
};

export type DryRunContext = {
  readonly keys: VaultKeys;
  readonly group: number;
  /** The item's newest snapshot, undefined for none. */
  readonly previous:
    | { readonly root: Buffer; readonly body: SnapshotBody; readonly incomplete: boolean }
    | undefined;
  /** Sealed records of the previous tree by id. */
  readonly read: (ids: readonly Uint8Array[]) => Promise<(Buffer | undefined)[]>;
  readonly gatewayId: () => Promise<string | undefined>;
  readonly cachePath: string;
  readonly signal: AbortSignal;
  readonly warn: (path: Uint8Array, what: string) => void;
  readonly found: (file: FoundFile) => void;
};

/** What the snapshot would hold; `filesRead` and `bytesRead` are what would be read. */
export type DryRunOutcome = {
  readonly counts: Readonly<WalkCounts>;
  readonly portion: number;
  /** Where the run would stop at a limit. */
  readonly stopped: Stopped | undefined;
};

/**
 * Walks and compares.
 * @throws HoldfastError not-found and others of the previous tree; cancelled
 */
export async function dryRun(request: BackupRequest, context: DryRunContext): Promise<DryRunOutcome> {
  const { keys, group, previous } = context;
  const filter = new Filter(request.rules);
  const cache = PageCache.open({
    path: context.cachePath,
    vaultId: keys.vaultId,
    group,
    idKey: keys.idKey(group),
  });
  const failure = new Failure();
  const stop = (): void => failure.fail(new HoldfastError(ErrorCode.cancelled, "the dry run was stopped"));
  if (context.signal.aborted) stop();
  context.signal.addEventListener("abort", stop, { once: true });
  const portion = new Portion(portionAfter(previous), request.limits, () => performance.now());
  const walker = new Walker({
    platform: selectPlatform(),
    intake: new CountingIntake(context.found),
    splitTable: keys.splitTable(group),
    filter,
    emitDirectory: (plaintext, refs) => nameOf(plaintext, refs),
    emitXattrs: (plaintext) => nameOf(plaintext),
    previous:
      previous === undefined
        ? undefined
        : {
            tree: new PreviousTree(cache, previousPages(context)),
            root: { id: previous.root, plainLength: 0 },
            timeMs: Date.parse(previous.body.time),
            incomplete: previous.incomplete,
          },
    reference: undefined, // everything that it tells of would be read
    portion,
    firstDevice: 1n,
    move: new Set(),
    rescan: request.rescan,
    ignoreInodes: request.ignoreInodes === true,
    oneFileSystem: request.oneFileSystem,
    excludeCaches: request.excludeCaches,
    gatewayId: context.gatewayId,
    standIns: undefined,
    warn: context.warn,
    breathe: () => Promise.resolve(),
    hasRoom: () => true,
    failure,
    backlog: new Backlog(),
  });
  try {
    await walker.walk(topTree(request.paths.map(({ path }) => path)));
    return { counts: { ...walker.counts }, portion: portion.number, stopped: portion.stopped };
  } finally {
    context.signal.removeEventListener("abort", stop);
    walker.close();
    cache.finish(false);
    cache.close();
  }
}

/** Pages of this run are never looked at again: any name will do. */
function nameOf(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

const unread = Buffer.alloc(32);

class CountingIntake implements Intake {
  readonly hasRoom = true;
  readonly #found: (file: FoundFile) => void;

  constructor(found: (file: FoundFile) => void) {
    this.#found = found;
  }

  async room(): Promise<void> {}

  /** The content is set down as one hole: it has the right length and names no chunk. */
  take(file: FileToRead, done: (read: FileRead) => void): void {
    const { size, path, name, previous } = file;
    this.#found({ path: joinPath(path, name), size, change: previous === undefined ? "new" : "changed" });
    done({
      outcome: {
        failed: undefined,
        changed: undefined,
        row: undefined,
        xattrs: [],
        xattrsFailed: undefined,
        size,
        fileHash: unread,
        offset: -1,
        sameContent: false,
        apart: false,
      },
      content: size === 0 ? undefined : { form: "inline", extents: [{ length: size, hole: true }] },
    });
  }

  age(): void {}

  flush(): void {}
}
