// The trees that a run compares with: of its item's newest snapshot, and of a reference snapshot as long as the item has no complete one.

import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import type { SnapshotBody } from "../../vault/snapshot.ts";
import type { PageCache } from "../source/pageCache.ts";
import { PreviousTree } from "../source/previousTree.ts";
import type { WalkOptions } from "../source/walk.ts";
import type { ReferenceContent } from "../upload/referenceContent.ts";
import { previousPages } from "./previousPages.ts";
import { prefetchPaths, type ReferenceSnapshot } from "./reference.ts";
import type { BackupProgress, BackupSession, ReferenceUse } from "./request.ts";

/** The item's newest snapshot. */
export type PreviousSnapshot = {
  readonly root: Buffer;
  readonly body: SnapshotBody;
  readonly group: number;
  readonly sequence: number;
  readonly incomplete: boolean;
};

/** What the run compares with. */
export type Bases = {
  readonly previous: PreviousSnapshot | undefined;
  readonly reference: ReferenceSnapshot | undefined;
};

type Session = Pick<BackupSession, "read">;

/** The previous tree as the walk takes it. */
export function previousTree(
  { root, body, incomplete, group }: PreviousSnapshot,
  cache: PageCache,
  session: Session,
  keys: VaultKeys,
): NonNullable<WalkOptions["previous"]> {
  const tree = new PreviousTree(cache, previousPages({ keys, group, read: (ids) => session.read(ids) }));
  return { tree, root: { id: root, plainLength: 0 }, timeMs: Date.parse(body.time), incomplete };
}

export class ReferenceTree {
  readonly snapshot: ReferenceSnapshot;
  readonly walked: NonNullable<WalkOptions["reference"]>;
  /** Bytes of sealed pages that came from the gateway. */
  #pageBytes = 0;

  constructor(snapshot: ReferenceSnapshot, cache: PageCache, session: Session, keys: VaultKeys) {
    const { group, root } = snapshot;
    const read = async (ids: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> => {
      const records = await session.read(ids);
      for (const record of records) this.#pageBytes += record?.length ?? 0;
      return records;
    };
    this.snapshot = snapshot;
    this.walked = {
      tree: new PreviousTree(cache, previousPages({ keys, group, read })),
      root: { id: root, plainLength: 0 },
    };
  }

  /** What a run took over from it. */
  use({ files, bytes, readBytes }: Pick<ReferenceContent, "files" | "bytes" | "readBytes">): ReferenceUse {
    const { id: snapshot, device, item } = this.snapshot;
    return { snapshot, device, item, files, bytes, pageBytes: this.#pageBytes, readBytes };
  }

  /** To be called before the walk; only what is at and below the named paths matters. */
  prefetch(paths: readonly Uint8Array[]): Promise<void> {
    return prefetchPaths(this.walked.tree, this.walked.root.id, paths);
  }
}

/** The number of the run that compares with this, in its series of portions. */
export function portionAfter(previous: Pick<PreviousSnapshot, "body" | "incomplete"> | undefined): number {
  return previous?.incomplete === true ? (previous.body.portion ?? 1) + 1 : 1;
}

/** Whether the item has no complete snapshot: all that it ever had are portions of one series. */
export function isFirstSeries({ incomplete, body, sequence }: PreviousSnapshot): boolean {
  return incomplete && body.portion === sequence;
}

/** The totals of what a run compares with; 0 where they say little: what an incomplete snapshot has is no estimate of what there is. */
export function estimateBy(
  previous: PreviousSnapshot | undefined,
): Pick<BackupProgress, "expectedFiles" | "expectedBytes"> {
  const body = previous?.incomplete === false ? previous.body : undefined;
  return { expectedFiles: body?.files ?? 0, expectedBytes: body?.bytes ?? 0 };
}
