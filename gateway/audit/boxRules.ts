// What is noted of what an administrator does with boxes.

import type { ImportOperations } from "../admin/importOperations.ts";
import type { SeedOperations } from "../admin/seedOperations.ts";
import type { StageOperations } from "../admin/stageOperations.ts";
import type { Rules } from "./audited.ts";
import { listOf } from "./subjects.ts";

export const seed: Rules<SeedOperations> = {
  send: "reads",
  look: "reads",
  readRate: "reads",
  status: "reads",
  custody: "reads",
  prepare: ([{ accounts, key }], made) =>
    key === undefined
      ? undefined
      : { event: "box.prepared", subject: { box: made?.box?.number ?? null, accounts } },
  seal: ([{ dryRun }]) => (dryRun ? undefined : { event: "box.sealed", subject: {} }),
  extend: (_asked, made) => ({ event: "box.extended", subject: { replica: made?.replica ?? null } }),
  reopen: (_asked, done) => ({ event: "box.reopened", subject: { box: done?.box ?? null } }),
  promise: (_asked, done) => ({
    event: "box.promised",
    subject: { box: done?.accepted?.box ?? null, seal: done?.accepted?.seal ?? null },
  }),
};

export const imports: Rules<ImportOperations> = {
  run: ([{ dryRun }], done) =>
    dryRun
      ? undefined
      : { event: "box.imported", subject: { box: done?.box ?? null, left: done?.left ?? null } },
  abandon: ([{ box, dryRun }], done) =>
    dryRun ? undefined : { event: "box.abandoned", subject: { box, needs: done?.needs ?? null } },
};

export const staging: Rules<StageOperations> = {
  stage: ([{ key, snapshots }], done) =>
    key === undefined
      ? undefined
      : {
          event: "box.staged",
          subject: { box: done?.box?.number ?? null, ...listOf(snapshots.map(({ snapshot }) => snapshot)) },
        },
};
