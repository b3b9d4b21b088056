// Imports of boxes in the gateway's own process.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { type BoxRow, noSuchBox } from "../catalog/boxes.ts";
import type { Gateway } from "../gateway.ts";
import type { ShownProgress } from "../jobs/shownProgress.ts";
import { readBoxDocument } from "../seed/boxDirectory.ts";
import { abandonBox } from "../seed/import/abandonBox.ts";
import { importBox, requireImportable } from "../seed/import/importBox.ts";
import { takeManifest } from "../seed/import/manifestOnBoard.ts";
import { NetworkSource } from "../seed/import/networkSource.ts";
import { FolderSource, type PackSource } from "../seed/import/packSources.ts";
import type { AbandonProgress, ImportOperations, ImportProgress, ImportReport } from "./importOperations.ts";

type Watch<Name extends "run" | "abandon"> = Parameters<ImportOperations[Name]>[1];

export class ImportAdministration implements ImportOperations {
  readonly #gateway: Gateway;
  /** Boxes that are being imported. */
  readonly #running = new Set<number>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  readonly run: ImportOperations["run"] = async (request, watch) => {
    const box = await this.#boxOf(request.sources, request.box);
    requireImportable(box);
    const work = async (watch: Watch<"run">): Promise<ImportReport> => {
      if (!request.dryRun) await takeManifest(this.#gateway, box, request.sources, watch.signal);
      const sources = request.sources.map((source) => this.#source(source, box, watch.signal));
      try {
        const now = this.#gateway.catalog.boxes.get(box.number) ?? box;
        requireSealed(now);
        return await importBox(this.#gateway, now, sources, request, watch);
      } finally {
        for (const source of sources) if (source instanceof NetworkSource) source.close();
      }
    };
    return await this.#alone(box.number, () => {
      if (request.dryRun) return work(watch);
      const name = { kind: "seed-import", subject: `box ${box.number}` } as const;
      return this.#gateway.jobs.run(
        name,
        { ...watch, shown: importShown },
        work,
        ({ packs, takenBytes, left, refused }) => ({
          figures: { packs, taken_bytes: takenBytes, left, refused },
          warnings: refused > 0,
        }),
      );
    });
  };

  readonly abandon: ImportOperations["abandon"] = async ({ box: number, dryRun }, watch) => {
    const box = this.#gateway.catalog.boxes.get(number);
    if (box === undefined) throw noSuchBox(number);
    requireImportable(box);
    const work = (watch: Watch<"abandon">) => abandonBox(this.#gateway, box, dryRun, watch);
    return await this.#alone(number, () => {
      if (dryRun) return work(watch);
      const name = { kind: "seed-abandon", subject: `box ${number}` } as const;
      return this.#gateway.jobs.run(name, { ...watch, shown: abandonShown }, work, ({ needs, waiting }) => ({
        figures: { needs: needs ?? 0, waiting: waiting.length },
      }));
    });
  };

  #source(source: string, box: BoxRow, signal: AbortSignal): PackSource {
    if (!isUrl(source)) return new FolderSource(source);
    return new NetworkSource(source, box.fingerprint, this.#gateway.homes.importToken(box.id), signal);
  }

  async #alone<T>(box: number, work: () => Promise<T>): Promise<T> {
    if (this.#running.has(box)) {
      throw new HoldfastError(ErrorCode.busy, `box ${box} is being imported already`, {
        next: "Wait until that is done, or stop it.",
      });
    }
    this.#running.add(box);
    try {
      return await work();
    } finally {
      this.#running.delete(box);
    }
  }

  /** The box that sources are of: as its document on one of them says, or by its number. */
  async #boxOf(sources: readonly string[], number: number | undefined): Promise<BoxRow> {
    const { boxes } = this.#gateway.catalog;
    for (const source of sources) {
      // The newest: boxes stand at the same address one after the other.
      const at = isUrl(source)
        ? boxes
            .list()
            .findLast(
              (row) =>
                row.urls.includes(new URL(source).origin) && (number === undefined || row.number === number),
            )
        : undefined;
      if (at !== undefined) return at;
      if (isUrl(source)) continue;
      const document = await readBoxDocument(source);
      if (document === undefined) continue;
      if (document.datacentre.id !== this.#gateway.dataDir.identity.id) {
        throw new HoldfastError(
          ErrorCode.exists,
          `${source} is box ${document.box} of another datacentre, ${document.datacentre.name}`,
          { next: "Import it there." },
        );
      }
      const row = boxes.get(document.box);
      if (row?.id !== document.id) throw noSuchBox(document.box);
      if (number !== undefined && row.number !== number) {
        throw new HoldfastError(ErrorCode.usage, `${source} is box ${row.number}, not ${number}`);
      }
      return row;
    }
    const row = number === undefined ? undefined : boxes.get(number);
    if (number !== undefined && row === undefined) throw noSuchBox(number);
    if (row !== undefined) return row;
    throw new HoldfastError(ErrorCode.usage, "none of these sources says which box it is", {
      next: "Name the box's own directory (the one with box.json), or add --box N.",
    });
  }
}

/** What a box takes while it is open again could not come any more, once what it promised before is imported. */
function requireSealed({ number, state, seal }: BoxRow): void {
  if (state !== "prepared" || seal === null) return;
  throw new HoldfastError(
    ErrorCode.sequenceConflict,
    `box ${number} was opened again: its devices back up to it until it is sealed`,
    { next: `Seal it and bring its manifest, or give it up first (\`holdfast seed abandon ${number}\`).` },
  );
}

function importShown({ packsDone, packs, bytesDone, bytes }: ImportProgress): ShownProgress {
  const done = { done: packsDone, total: packs, bytes: bytesDone, totalBytes: bytes };
  return { phase: "importing", unit: "pack", ...done };
}

function abandonShown({ phase, snapshotsDone, snapshots }: AbandonProgress): ShownProgress {
  if (phase === "ending") return { phase: "giving up" };
  const total = snapshots === null ? {} : { total: snapshots };
  return { phase: "counting what is needed", unit: "snapshot", done: snapshotsDone, ...total };
}

function isUrl(source: string): boolean {
  return source.startsWith("https://") && URL.canParse(source);
}
