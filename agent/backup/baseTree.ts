// The tree that a run compares with: of its item's newest snapshot, or of a reference snapshot.

import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import type { SnapshotBody } from "../../vault/snapshot.ts";
import type { PageCache } from "../source/pageCache.ts";
import { PreviousTree } from "../source/previousTree.ts";
import type { WalkOptions } from "../source/walk.ts";
import type { ReferenceContent } from "../upload/referenceContent.ts";
import { previousPages } from "./previousPages.ts";
import { prefetchPaths, type ReferenceSnapshot } from "./reference.ts";
import type { BackupProgress, BackupSession, ReferenceUse } from "./request.ts";

/** What the run compares with: the item's newest snapshot, or one that is not its own. */
export type BaseSnapshot =
  | {
      readonly kind: "previous";
      readonly root: Buffer;
      readonly body: SnapshotBody;
      readonly group: number;
      readonly incomplete: boolean;
    }
  | ReferenceSnapshot;

export class BaseTree {
  readonly snapshot: BaseSnapshot;
  /** What the walk is told of it. */
  readonly walked: NonNullable<WalkOptions["previous"]>;
  /** Bytes of sealed pages that came from the gateway. */
  pageBytes = 0;

  constructor(
    snapshot: BaseSnapshot,
    cache: PageCache,
    session: Pick<BackupSession, "read">,
    keys: VaultKeys,
  ) {
    const { kind, group, root, body } = snapshot;
    const read = async (ids: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> => {
      const records = await session.read(ids);
      for (const record of records) this.pageBytes += record?.length ?? 0;
      return records;
    };
    this.snapshot = snapshot;
    this.walked = {
      tree: new PreviousTree(cache, previousPages({ keys, group, read })),
      root: { id: root, plainLength: 0 },
      timeMs: Date.parse(body.time),
      contentOnly: kind === "reference",
      incomplete: snapshot.kind === "previous" && snapshot.incomplete,
    };
  }

  /** What a run took over from it, when it is a reference. */
  use(
    content: Pick<ReferenceContent, "files" | "bytes" | "readBytes"> | undefined,
  ): ReferenceUse | undefined {
    if (this.snapshot.kind !== "reference" || content === undefined) return undefined;
    const { id: snapshot, device, item } = this.snapshot;
    const { files, bytes, readBytes } = content;
    return { snapshot, device, item, files, bytes, pageBytes: this.pageBytes, readBytes };
  }

  /** To be called before the walk; of a reference only what is at and below the named paths matters. */
  prefetch(paths: readonly Uint8Array[]): Promise<void> {
    const { tree, root, contentOnly } = this.walked;
    return contentOnly ? prefetchPaths(tree, root.id, paths) : tree.prefetch(root.id);
  }
}

/** The number of the run that compares with this, in its series of portions. */
export function portionAfter(
  base:
    | Pick<Extract<BaseSnapshot, { kind: "previous" }>, "body" | "incomplete">
    | ReferenceSnapshot
    | undefined,
): number {
  if (base === undefined || !("incomplete" in base) || !base.incomplete) return 1;
  return (base.body.portion ?? 1) + 1;
}

/** The totals of what a run compares with; 0 where they say little: what an incomplete snapshot has is no estimate of what there is. */
export function estimateBy(
  base: BaseSnapshot | undefined,
): Pick<BackupProgress, "expectedFiles" | "expectedBytes"> {
  const body = base?.kind === "previous" && !base.incomplete ? base.body : undefined;
  return { expectedFiles: body?.files ?? 0, expectedBytes: body?.bytes ?? 0 };
}
