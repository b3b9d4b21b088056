// Takes in manifests of boxes at their datacentre: over the network by the box's token, and from a file.
//
// Invariants
// - Of one box one thing happens at a time.
// - A seal that was accepted is answered as accepted, whoever asks again.

import { type ReopenAnswer, type SealAnswer, seedPartBytesMax } from "../../../ingest/wire/seed.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { homeOf } from "../../../vault/seed/homeRecord.ts";
import { claimedManifest } from "../../../vault/seed/manifest.ts";
import type { JobWatch } from "../../admin/job.ts";
import { tokenHash, tokenKind } from "../../auth/tokens.ts";
import { type BoxRow, noSuchBox } from "../../catalog/boxes.ts";
import type { Gateway } from "../../gateway.ts";
import type { ShownProgress } from "../../jobs/shownProgress.ts";
import { type AcceptedSeal, type AcceptProgress, acceptSeal } from "../acceptSeal.ts";
import { type CarriedManifest, cutShort } from "./carriedManifest.ts";
import { type Announced, announce, takePart } from "./incomingSeal.ts";

export type PartPlace = Parameters<typeof takePart>[2];
type Watch = JobWatch<AcceptProgress>;

function acceptShown({ phase, bytesDone, bytes }: AcceptProgress): ShownProgress {
  return { phase, bytes: bytesDone, totalBytes: bytes };
}

export class SealReceiver {
  readonly #gateway: Gateway;
  readonly #turns = new Map<number, Promise<unknown>>();
  /** Seals that are being accepted, by the hash of their manifest. */
  readonly #accepting = new Map<string, Promise<AcceptedSeal>>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** The box that asks. @throws HoldfastError token-invalid */
  authenticate(token: string): BoxRow {
    const row =
      tokenKind(token) === "box" ? this.#gateway.catalog.boxes.byToken(tokenHash(token)) : undefined;
    if (row !== undefined) return row;
    throw new HoldfastError(ErrorCode.tokenInvalid, "the token of the box is not known here");
  }

  #inTurn<T>(box: number, work: () => Promise<T>): Promise<T> {
    const done = (this.#turns.get(box) ?? Promise.resolve()).then(work);
    const settled = done.catch(() => undefined);
    this.#turns.set(box, settled);
    void settled.then(() => {
      if (this.#turns.get(box) === settled) this.#turns.delete(box);
    });
    return done;
  }

  /**
   * Takes a manifest; when its lists are whole, begins to accept it and waits for that at most `waitMs`.
   * @throws HoldfastError as `announce` and `acceptSeal`
   */
  async submit(box: BoxRow, bytes: Buffer, waitMs: number): Promise<SealAnswer> {
    const announced = await this.#inTurn(box.number, () => announce(this.#gateway, this.#row(box), bytes));
    const { seal, state } = this.#row(box);
    // One that was to be opened again and is sealed as before calls its devices back once more.
    if (seal?.manifest === announced.hash && state !== "prepared") return { accepted: true, missing: [] };
    if (announced.missing.length > 0) return { accepted: false, missing: announced.missing };
    const done = this.#accept(box, bytes, announced, unstopped).then(() => true);
    const late = Promise.withResolvers<false>();
    const timer = setTimeout(() => late.resolve(false), waitMs);
    try {
      return { accepted: await Promise.race([done, late.promise]), missing: [] };
    } finally {
      clearTimeout(timer);
    }
  }

  /** One that runs is joined; where whoever began it has it stopped, it is begun again. */
  #accept(box: BoxRow, bytes: Buffer, announced: Announced, watch: Watch): Promise<AcceptedSeal> {
    const { manifest, hash, folder } = announced;
    const running = this.#accepting.get(hash);
    if (running !== undefined) {
      const joined = running.catch((error: unknown) => {
        if (!isHoldfastError(error, ErrorCode.cancelled)) throw error;
        return this.#accept(box, bytes, announced, watch);
      });
      return orStopped(joined, watch.signal);
    }
    const accept = (watch: Watch): Promise<AcceptedSeal> =>
      acceptSeal(this.#gateway, this.#row(box), { manifest, bytes, hash, folder }, watch).catch(
        (error: unknown) => {
          throw watch.signal.aborted ? stoppedBy(watch.signal) : error;
        },
      );
    const name = { kind: "seed-promise", subject: `box ${box.number}` } as const;
    const work = this.#inTurn(box.number, () =>
      this.#gateway.jobs.run(
        name,
        { ...watch, shown: acceptShown },
        accept,
        ({ chunks, snapshots, forked }) => ({
          figures: { chunks, snapshots, forked },
        }),
      ),
    );
    this.#accepting.set(hash, work);
    this.#gateway.attend(work);
    const forget = (): void => void this.#accepting.delete(hash);
    work.then(forget, (error: unknown) => {
      forget();
      if (isHoldfastError(error, ErrorCode.cancelled)) return;
      this.#gateway.logger.error({ err: error, box: box.number }, "a box's manifest was not accepted");
    });
    return work;
  }

  /**
   * Lends the devices of a sealed box to it anew. What it promised stays promised until its next seal says otherwise.
   * @throws HoldfastError sequence-conflict where it is being imported, was, or was given up, for another seal than the newest that is known,
   * and where its devices were sent elsewhere meanwhile
   */
  reopen(box: BoxRow, seal: number): Promise<ReopenAnswer> {
    return this.#inTurn(box.number, async () => {
      const { boxes } = this.#gateway.catalog;
      const { homes } = this.#gateway;
      const { state, accounts, number, ...row } = this.#row(box);
      const open = state === "preparing" || state === "prepared" || state === "sealed";
      if (!open || row.kind !== "seed" || seal < (row.seal?.seal ?? 0)) {
        throw new HoldfastError(
          ErrorCode.sequenceConflict,
          `box ${number} is ${state}: it cannot be opened again`,
          {
            next: "Prepare another box.",
          },
        );
      }
      if (accounts.some((chosen) => this.#areElsewhere(row, chosen))) {
        throw new HoldfastError(
          ErrorCode.sequenceConflict,
          `devices of box ${number} were sent elsewhere meanwhile: it cannot be opened again`,
          { next: "`holdfast home show` at the datacentre tells where; prepare another box for them." },
        );
      }
      const home = { gateway: row.id, name: row.name, urls: row.urls, fingerprint: row.fingerprint };
      const lent: ReopenAnswer["homes"][number][] = [];
      for (const { account, devices } of accounts) {
        const { record, recall } = await homes.lend(account, devices, home);
        lent.push({ account, record: record.toString(), recall: recall.toString() });
      }
      boxes.update(number, (now) => ({ ...now, state: "prepared" }));
      this.#gateway.logger.info({ box: number }, "box opened again");
      return { homes: lent };
    });
  }

  /** Whether the datacentre's owner has sent a box's devices where neither its preparation nor its seal did. */
  #areElsewhere(
    { id, seal }: Pick<BoxRow, "id" | "seal">,
    { account, devices }: BoxRow["accounts"][number],
  ): boolean {
    const { homes, dataDir } = this.#gateway;
    const now = homes.homesteads(account);
    const own = devices?.map((device) => homeOf(now, device)) ?? [
      now.home,
      ...now.devices.map(({ home }) => home),
    ];
    return own.some(({ gateway }) => gateway !== id && (seal === null || gateway !== dataDir.identity.id));
  }

  #row(box: BoxRow): BoxRow {
    return this.#gateway.catalog.boxes.get(box.number) ?? box;
  }

  /** Takes the next part of a list. @throws HoldfastError as `takePart` */
  part(box: BoxRow, place: PartPlace, part: Uint8Array): Promise<{ bytes: number }> {
    return this.#inTurn(box.number, () => takePart(this.#gateway, this.#row(box), place, part));
  }

  /**
   * Takes in a manifest and its lists that were carried here, and accepts them. Undefined where that was done before.
   * @throws HoldfastError not-found for a box that is not of here; truncated; cancelled, when the same may be done again; as `submit`
   */
  async carried(
    { bytes, read }: CarriedManifest,
    { onProgress, signal }: Watch,
  ): Promise<AcceptedSeal | undefined> {
    const claimed = claimedManifest(bytes);
    const box = this.#gateway.catalog.boxes.get(claimed.box);
    if (box === undefined) throw noSuchBox(claimed.box);
    const announced = (): Promise<Announced> =>
      this.#inTurn(box.number, () => announce(this.#gateway, this.#row(box), bytes, true));
    const before = await announced();
    const { seal, state } = this.#row(box);
    if (seal?.manifest === before.hash && state !== "prepared") return undefined;
    const all = before.missing.reduce((sum, row) => sum + row.bytes - row.have, 0);
    let bytesDone = 0;
    for (const { vault, list, bytes: length, have } of before.missing) {
      for (let offset = have; offset < length; ) {
        if (signal.aborted) throw stoppedBy(signal);
        const part = await read({ vault, list }, offset, Math.min(seedPartBytesMax, length - offset));
        if (part.length === 0) throw cutShort();
        offset = (await this.part(box, { seal: before.manifest.seal, vault, list, offset }, part)).bytes;
        bytesDone += part.length;
        onProgress({ phase: "reading", bytesDone, bytes: all });
      }
    }
    const now = await announced();
    if (now.missing.length > 0) throw cutShort();
    return await this.#accept(box, bytes, now, { onProgress, signal });
  }
}

/** Of boxes that ask by themselves: nobody watches, and they ask again. */
const unstopped: Watch = { onProgress: () => undefined, signal: new AbortController().signal };

function stoppedBy({ reason }: AbortSignal): HoldfastError {
  return isHoldfastError(reason, ErrorCode.cancelled)
    ? reason
    : new HoldfastError(ErrorCode.cancelled, "taking in the manifest was stopped", {
        next: "Do it again: it goes on.",
      });
}

/** What others began goes on; only waiting for it ends. */
async function orStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(stoppedBy(signal));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
