// Operations of boxes in the gateway's own process.

import type { Gateway } from "../gateway.ts";
import type { JobKind } from "../jobs/jobRows.ts";
import type { GivenWatch, JobOutcome } from "../jobs/jobs.ts";
import type { ShownProgress } from "../jobs/shownProgress.ts";
import { appendCustody, readCustody } from "../seed/custodyFile.ts";
import { extendBox } from "../seed/extendBox.ts";
import { planBox } from "../seed/prepare/planBox.ts";
import { prepareBox } from "../seed/prepare/prepareBox.ts";
import { sampleReads } from "../seed/readSample.ts";
import { withManifestFile } from "../seed/receive/carriedManifest.ts";
import { lookAtManifest } from "../seed/receive/lookAtManifest.ts";
import { reopenBox } from "../seed/seal/reopenBox.ts";
import { requireBox, type SealProgress, sealBox } from "../seed/seal/sealBox.ts";
import { seedStatus } from "../seed/seedStatus.ts";
import { sendSeal } from "../seed/send/sendSeal.ts";
import type { JobWatch } from "./job.ts";
import type { SeedOperations } from "./seedOperations.ts";

export class SeedAdministration implements SeedOperations {
  readonly #gateway: Gateway;
  /** One change at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  readonly prepare: SeedOperations["prepare"] = (request) =>
    this.#inTurn(async () => {
      const { answer, plan } = await planBox(this.#gateway, request);
      if (plan === undefined) return answer;
      const { number, id, name, fingerprint, urls } = await prepareBox(this.#gateway, plan);
      return { ...answer, box: { number, id, name, fingerprint, urls } };
    });

  readonly seal: SeedOperations["seal"] = (request, watch) =>
    this.#inTurn(() => {
      const work = (watch: JobWatch<SealProgress>) => sealBox(this.#gateway, request, watch);
      if (request.dryRun) return work(watch);
      return this.#run(
        "seed-seal",
        { ...watch, shown: sealShown },
        work,
        ({ packs, packBytes, snapshots, damaged }) => ({
          figures: { packs, bytes: packBytes, snapshots, damaged: damaged.length },
          warnings: damaged.length > 0,
        }),
      );
    });

  readonly extend: SeedOperations["extend"] = (request) =>
    this.#inTurn(() => extendBox(this.#gateway, request));

  readonly reopen: SeedOperations["reopen"] = (by, watch) =>
    this.#inTurn(() =>
      this.#run(
        "seed-reopen",
        { ...watch, shown: ({ phase }) => ({ phase }) },
        (watch) => reopenBox(this.#gateway, by, watch),
        ({ seal }) => ({ figures: { seal } }),
      ),
    );

  readonly send: SeedOperations["send"] = (watch) =>
    this.#inTurn(() =>
      this.#run(
        "seed-send",
        {
          ...watch,
          shown: ({ bytes, totalBytes }) => ({ phase: "sending", bytes, totalBytes }),
        },
        (watch) => sendSeal(this.#gateway, watch),
        ({ sentBytes }) => ({ figures: { sent_bytes: sentBytes } }),
      ),
    );

  /** As a job of the box that this gateway is. */
  #run<Progress, Result>(
    kind: JobKind,
    watch: GivenWatch<Progress>,
    work: (watch: JobWatch<Progress>) => Promise<Result>,
    outcome: (result: Result) => JobOutcome,
  ): Promise<Result> {
    const { box } = this.#gateway.dataDir;
    const subject = box === undefined ? "" : `box ${box.document.box}`;
    return this.#gateway.jobs.run({ kind, subject }, watch, work, outcome);
  }

  readonly promise: SeedOperations["promise"] = (file, watch) =>
    withManifestFile(file, async (carried) => ({
      accepted: (await this.#gateway.seals.carried(carried, watch)) ?? null,
    }));

  readonly look: SeedOperations["look"] = (file, watch) =>
    withManifestFile(file, (carried) => lookAtManifest(this.#gateway, carried, watch));

  readonly readRate: SeedOperations["readRate"] = async () => ({ sample: await sampleReads(this.#gateway) });

  readonly status: SeedOperations["status"] = (number) => seedStatus(this.#gateway, number);

  /** Notes in a box's custody log that it runs. A log that cannot take the line is told, and stops nothing. */
  async started(by: string): Promise<void> {
    const { dataDir, now, logger } = this.#gateway;
    if (dataDir.box === undefined) return;
    const entry = { time: now().toISOString(), event: "started", by, note: "" } as const;
    await this.#inTurn(() => appendCustody(dataDir.path, entry)).catch((error: unknown) =>
      logger.warn({ err: error }, "the custody log took no line"),
    );
  }

  readonly custody: SeedOperations["custody"] = (add) =>
    this.#inTurn(async () => {
      const { dataDir, now } = this.#gateway;
      requireBox(this.#gateway);
      if (add !== undefined) {
        await appendCustody(dataDir.path, { time: now().toISOString(), event: "note", ...add });
      }
      return { entries: (await readCustody(dataDir.path)).entries };
    });
}

function sealShown({ packs, totalPacks, bytes, totalBytes }: SealProgress): ShownProgress {
  return { phase: "reading", unit: "pack", done: packs, total: totalPacks, bytes, totalBytes };
}
