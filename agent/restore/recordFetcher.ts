// Gets sealed data records in large requests, a few at a time, in the order in which they were asked for.

import type { RecordResult, RecordSource } from "../../fs/view/ports.ts";
import { readTogether } from "../../fs/view/readTogether.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";

const MiB = 1024 * 1024;
const requestsAtOnce = 3;
const idsPerRequest = 128;
/** Plaintext bytes that one request may bring; sealed they are fewer. */
const bytesPerRequest = 8 * MiB;
/** While an answer is on its way, wishes gather to so much before the next request: a request costs as much as opening a record. */
const bytesToGather = 2 * MiB;
const triesMax = 3;

type Wish = {
  readonly id: Uint8Array;
  readonly bytes: number;
  readonly resolve: (result: RecordResult) => void;
  readonly reject: (error: unknown) => void;
};

export class RecordFetcher {
  fetchedBytes = 0;
  fetchedRecords = 0;
  readonly #source: RecordSource;
  readonly #vaultId: string;
  readonly #group: number;
  readonly #signal: AbortSignal;
  #wishes: Wish[] = [];
  #wishedBytes = 0;
  #underWay = 0;
  #scheduled = false;

  constructor(source: RecordSource, vaultId: string, group: number, signal: AbortSignal) {
    this.#source = source;
    this.#vaultId = vaultId;
    this.#group = group;
    this.#signal = signal;
  }

  /** The sealed record of an id; `bytes` is about its plaintext's length. Rejects only when the whole request failed. */
  fetch(id: Uint8Array, bytes: number): Promise<RecordResult> {
    return new Promise((resolve, reject) => {
      this.#wishes.push({ id, bytes, resolve, reject });
      this.#wishedBytes += bytes;
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#wishes.length === 0 || this.#underWay >= requestsAtOnce) return;
    if (this.#underWay > 0 && this.#wishedBytes < bytesToGather) return;
    this.#scheduled = true;
    // After the current turn, so that what is asked for together travels together.
    setImmediate(() => {
      this.#scheduled = false;
      void this.#send();
    });
  }

  /** An answer that breaks off is asked for again; the source itself has tried to connect more than once. */
  async #read(ids: readonly Uint8Array[]): Promise<readonly RecordResult[]> {
    for (let tries = 1; ; tries++) {
      try {
        return await readTogether(this.#source, this.#vaultId, this.#group, ids, this.#signal);
      } catch (error) {
        if (!isHoldfastError(error, ErrorCode.gatewayUnreachable) || tries === triesMax) throw error;
      }
    }
  }

  async #send(): Promise<void> {
    let bytes = 0;
    let count = 0;
    while (count < this.#wishes.length && count < idsPerRequest && bytes < bytesPerRequest) {
      bytes += (this.#wishes[count] as Wish).bytes;
      count++;
    }
    if (count === 0) return;
    const batch = this.#wishes.slice(0, count);
    this.#wishes = this.#wishes.slice(count);
    this.#wishedBytes -= bytes;
    this.#underWay += 1;
    this.#schedule();
    try {
      const ids = batch.map(({ id }) => id);
      const results = await this.#read(ids);
      for (const [index, wish] of batch.entries()) {
        const result = results[index] ?? { state: "missing" };
        if (result.state === "record") {
          this.fetchedBytes += result.record.length;
          this.fetchedRecords += 1;
        }
        wish.resolve(result);
      }
    } catch (error) {
      for (const wish of batch) wish.reject(error);
    } finally {
      this.#underWay -= 1;
      this.#schedule();
    }
  }
}
