// Takes in manifests of boxes at their datacentre: over the network by the box's token, and from a file.
//
// Invariants
// - Of one box one thing happens at a time.
// - A seal that was accepted is answered as accepted, whoever asks again.

import { open } from "node:fs/promises";
import { type ReopenAnswer, type SealAnswer, seedPartBytesMax } from "../../../ingest/wire/seed.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import { claimedManifest, seedLists } from "../../../vault/seed/manifest.ts";
import { tokenHash, tokenKind } from "../../auth/tokens.ts";
import { type BoxRow, noSuchBox } from "../../catalog/boxes.ts";
import type { Gateway } from "../../gateway.ts";
import { fileError, readFully } from "../../store/files.ts";
import { type AcceptedSeal, acceptSeal } from "../acceptSeal.ts";
import { type Announced, announce, takePart } from "./incomingSeal.ts";

export type PartPlace = Parameters<typeof takePart>[2];

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
    if (this.#row(box).seal?.manifest === announced.hash) return { accepted: true, missing: [] };
    if (announced.missing.length > 0) return { accepted: false, missing: announced.missing };
    const done = this.#accept(box, bytes, announced).then(() => true);
    const late = Promise.withResolvers<false>();
    const timer = setTimeout(() => late.resolve(false), waitMs);
    try {
      return { accepted: await Promise.race([done, late.promise]), missing: [] };
    } finally {
      clearTimeout(timer);
    }
  }

  #accept(box: BoxRow, bytes: Buffer, { manifest, hash, folder }: Announced): Promise<AcceptedSeal> {
    const running = this.#accepting.get(hash);
    if (running !== undefined) return running;
    const work = this.#inTurn(box.number, () =>
      acceptSeal(this.#gateway, this.#row(box), { manifest, bytes, hash, folder }),
    );
    this.#accepting.set(hash, work);
    this.#gateway.attend(work);
    const forget = (): void => void this.#accepting.delete(hash);
    work.then(forget, (error: unknown) => {
      forget();
      this.#gateway.logger.error({ err: error, box: box.number }, "a box's manifest was not accepted");
    });
    return work;
  }

  /**
   * Lends the devices of a sealed box to it anew. What it promised stays promised until its next seal says otherwise.
   * @throws HoldfastError sequence-conflict where it is being imported, was, or was given up, and for another seal than the newest that is known
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

  #row(box: BoxRow): BoxRow {
    return this.#gateway.catalog.boxes.get(box.number) ?? box;
  }

  /** Takes the next part of a list. @throws HoldfastError as `takePart` */
  part(box: BoxRow, place: PartPlace, part: Uint8Array): Promise<{ bytes: number }> {
    return this.#inTurn(box.number, () => takePart(this.#gateway, this.#row(box), place, part));
  }

  /**
   * Takes manifest and lists from a file that `seed seal --manifest-out` wrote, and accepts them. Undefined where that was done before.
   * @throws HoldfastError not-found for a box that is not of here; truncated; as `submit`
   */
  async file(path: string): Promise<AcceptedSeal | undefined> {
    const file = await open(path, "r").catch((error: unknown) => {
      throw fileError(error, path);
    });
    try {
      const bytes = manifestOf(await this.#range(file.fd, 0, limits.signedBytesMax));
      const claimed = claimedManifest(bytes);
      const box = this.#gateway.catalog.boxes.get(claimed.box);
      if (box === undefined) throw noSuchBox(claimed.box);
      let announced = await this.#inTurn(box.number, () => announce(this.#gateway, this.#row(box), bytes));
      if (this.#row(box).seal?.manifest === announced.hash) return undefined;
      await this.#copyLists(file.fd, box, bytes.length, announced);
      announced = await this.#inTurn(box.number, () => announce(this.#gateway, this.#row(box), bytes));
      if (announced.missing.length > 0) throw cutShort();
      return await this.#accept(box, bytes, announced);
    } finally {
      await file.close();
    }
  }

  async #copyLists(fd: number, box: BoxRow, start: number, { manifest, missing }: Announced): Promise<void> {
    let at = start;
    for (const vault of manifest.vaults) {
      for (const list of seedLists) {
        const { bytes } = vault.lists[list];
        const wanted = missing.find((row) => row.vault === vault.id && row.list === list);
        for (let offset = wanted?.have ?? bytes; offset < bytes; ) {
          const part = await this.#range(fd, at + offset, Math.min(seedPartBytesMax, bytes - offset));
          if (part.length === 0) throw cutShort();
          const place = { seal: manifest.seal, vault: vault.id, list, offset };
          offset = (await this.part(box, place, part)).bytes;
        }
        at += bytes;
      }
    }
  }

  async #range(fd: number, at: number, length: number): Promise<Buffer> {
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, await readFully(fd, buffer, at));
  }
}

/** The two lines at the beginning. @throws HoldfastError truncated */
function manifestOf(bytes: Buffer): Buffer {
  const second = bytes.indexOf(0x0a, bytes.indexOf(0x0a) + 1);
  if (second < 1) throw cutShort();
  return bytes.subarray(0, second + 1);
}

function cutShort(): HoldfastError {
  return new HoldfastError(ErrorCode.truncated, "the file with the manifest is cut short");
}
