// Restore drills: random files of random snapshots, read in memory as a restore would and held against their hashes. With keys only: vaults that are
// locked are passed over.

import { randomBytes } from "node:crypto";
import type { JobWatch } from "../admin/job.ts";
import type { DrilledVault, DrillRequest, DrillResult } from "../admin/upkeepOperations.ts";
import type { Gateway } from "../gateway.ts";
import { type DrillRow, DrillRows } from "./drillRows.ts";
import { vaultsAsked } from "./rebuild/rebuildGateway.ts";
import { vaultLabel } from "./tellDamage.ts";
import type { DrillProgress } from "./vaultContent.ts";

const kind = "drill-failed";

/** A seed of its own for a drill. */
export function newSeed(): string {
  return randomBytes(8).toString("hex");
}

/** See UpkeepOperations. */
export function drillGateway(
  gateway: Gateway,
  request: DrillRequest,
  watch: JobWatch<DrillProgress>,
): Promise<DrillResult> {
  return gateway.jobs.run(
    { kind: "drill", subject: "" },
    {
      ...watch,
      shown: ({ files, filesTotal, bytes, bytesTotal }) => ({
        ...{ phase: "restoring in memory", unit: "file", done: files, total: filesTotal },
        ...{ bytes, totalBytes: bytesTotal },
      }),
    },
    (watch) => drillAll(gateway, request, watch),
    ({ vaults }) => {
      const count = (of: (vault: DrilledVault) => number): number =>
        vaults.reduce((sum, vault) => sum + of(vault), 0);
      const wrong = count(({ report }) => report.wrong);
      const figures = {
        files: count(({ report }) => report.right + report.partly),
        bytes: count(({ report }) => report.readBytes),
        wrong,
      };
      return { figures, warnings: wrong > 0 };
    },
  );
}

async function drillAll(
  gateway: Gateway,
  request: DrillRequest,
  { onProgress, signal }: JobWatch<DrillProgress>,
): Promise<DrillResult> {
  const vaults: DrilledVault[] = [];
  const locked: string[] = [];
  for (const { id } of vaultsAsked(gateway, request.vault)) {
    const startedMs = gateway.monotonicMs();
    const at = gateway.now().toISOString();
    const { files, bytes, seed } = request;
    const drill = await gateway.content?.drill(id, { files, bytes, seed }, { onProgress, signal });
    if (drill === undefined) {
      locked.push(id);
      continue;
    }
    const { right, partly, readBytes, wrong } = drill;
    const hurt = [...new Set(wrong.map(({ snapshot }) => snapshot))];
    const seconds = Math.round(gateway.monotonicMs() - startedMs) / 1000;
    const report = { at, seed, files, bytes, right, partly, readBytes, wrong: wrong.length, hurt, seconds };
    const { store } = await gateway.vault(id);
    new DrillRows(store.environment).add(report);
    tell(gateway, id, report.wrong, seed);
    vaults.push({ vault: id, report, wrong });
  }
  return { vaults, locked };
}

/** Reports of all vaults, the newest first. */
export async function drillReports(gateway: Gateway): Promise<({ readonly vault: string } & DrillRow)[]> {
  const all: ({ readonly vault: string } & DrillRow)[] = [];
  for (const { id } of gateway.catalog.vaults.list()) {
    const { store } = await gateway.vault(id);
    for (const row of new DrillRows(store.environment).list()) all.push({ vault: id, ...row });
  }
  return all.sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
}

function tell(gateway: Gateway, vault: string, wrong: number, seed: string): void {
  const subject = vaultLabel(gateway, vault);
  if (wrong === 0) {
    gateway.alerts.resolve(kind, subject);
    return;
  }
  gateway.logger.error({ vault, wrong, seed }, "drill-failed");
  gateway.alerts.raise({
    kind,
    severity: "critical",
    subject,
    message: `A restore drill found ${wrong} files that cannot be restored as they were. \`holdfast gateway drill --seed ${seed}\` names them, \`holdfast gateway check\` says what else is hurt.`,
    figures: { wrong, seed },
  });
}
