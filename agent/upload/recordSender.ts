// Sends sealed data records in bodies of some MiB over a few parallel requests. A promise of `send` resolves when the
// gateway said that the record is durable, never before.

import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import { giveBack } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { UploadPort } from "./port.ts";

const MiB = 1024 * 1024;
const bodyBytes = 4 * MiB;
const requestsAtOnce = 3;
/** Also bounds what a broken request makes us ask for. */
const recordsPerRequest = 4096;

/** Where a record's plaintext was read. */
type ReadAt = { readonly worker: number; readonly order: number };

type Item = ReadAt & {
  readonly record: Buffer;
  readonly resolve: (wasThere: boolean) => void;
  readonly reject: (error: unknown) => void;
};

export class RecordSender {
  sentBytes = 0;
  sentRecords = 0;
  readonly #port: UploadPort;
  readonly #bodyBytesMax: () => number;
  #items: Item[] = [];
  #bytes = 0;
  #underWay = 0;
  #scheduled = false;

  /** `bodyBytesMax`: less than usual on a slow line, so that less is lost with a connection. */
  constructor(port: UploadPort, bodyBytesMax: () => number = () => bodyBytes) {
    this.#port = port;
    this.#bodyBytesMax = () => Math.min(bodyBytes, bodyBytesMax());
  }

  /** Resolves when the record is durable at the gateway, to whether one was there already and this one is not used. */
  send(record: Buffer, { worker, order }: ReadAt): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#items.push({ record, worker, order, resolve, reject });
      this.#bytes += record.length;
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#items.length === 0 || this.#underWay >= requestsAtOnce) return;
    // A full body goes at once; less only while nothing is under way, so that a lull does not make small bodies.
    if (this.#bytes < this.#bodyBytesMax() && this.#underWay > 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const batch: Item[] = [];
    let bytes = 0;
    const bytesMax = this.#bodyBytesMax();
    while (bytes < bytesMax && batch.length < recordsPerRequest) {
      const item = this.#items.shift();
      if (item === undefined) break;
      batch.push(item);
      bytes += item.record.length;
    }
    if (batch.length === 0) return;
    // Whoever sealed them was not always in turn: what is read together later is to lie together.
    batch.sort((one, other) => one.worker - other.worker || one.order - other.order);
    this.#bytes -= bytes;
    this.#underWay += 1;
    this.#schedule();
    try {
      const answer = await this.#port.records(batch.map((item) => item.record));
      for (const item of batch) giveBack(item.record);
      this.sentBytes += bytes;
      this.sentRecords += batch.length;
      for (const [index, item] of batch.entries()) {
        const status = answer.statuses[index];
        if (status === RecordStatus.waits) {
          item.reject(
            new HoldfastError(ErrorCode.protocol, "the gateway wants references of a record that has none"),
          );
        } else item.resolve(status === RecordStatus.present);
      }
    } catch (error) {
      for (const item of batch) item.reject(error);
    } finally {
      this.#underWay -= 1;
      this.#schedule();
    }
  }
}
