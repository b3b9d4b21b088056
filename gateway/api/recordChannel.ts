// One record channel, at the gateway's end (docs/protocol.md, Record channels): requests from a socket, records back.
//
// Invariants
// - Nothing is read for a request, and no piece of an answer is written, unless its rights were looked at just before.
// - At most `answersAtOnce` requests are answered at a time, each within one of the gateway's read slots; what waits is bounded by
//   `requestsWaiting` and by what one piece from the socket brings.
// - Memory of records is let go of by hand when it was sent: left to V8 it would make it collect its whole heap again and again.

import type { Duplex } from "node:stream";
import type { Logger } from "pino";
import { idAt } from "../../ingest/wire/idList.ts";
import { encodeReadLength, ReadSign } from "../../ingest/wire/readStream.ts";
import {
  type ChannelRequest,
  ChannelRequestParser,
  channelLimits,
  encodeAnswerHead,
} from "../../ingest/wire/recordChannel.ts";
import { giveBack } from "../../vault/bytes.ts";
import { HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import { isOutage } from "../cache/replicaStores.ts";
import type { OpenVault } from "../openVault.ts";
import { promisingBox } from "../seed/promisedError.ts";
import type { ReadOptions, ReadOutcome } from "../store/packReader.ts";
import { placeOrder } from "../store/placeOrder.ts";
import { drained } from "./drained.ts";
import type { ReadSlots } from "./recordStream.ts";

/** Small records are gathered to pieces of this size before they are written. */
const gatherBytes = 64 * 1024;

export type ChannelParts = {
  readonly socket: Duplex;
  readonly vault: OpenVault;
  readonly slots: ReadSlots;
  readonly log: Logger;
  readonly readNow: ReadOptions["readNow"];
  /** Whether who opened the channel may still read this vault. @throws HoldfastError when not */
  readonly demandRights: () => void;
  /** So many records are asked for. */
  readonly reads: (records: number) => void;
};

export class RecordChannel {
  readonly #parts: ChannelParts;
  readonly #parser = new ChannelRequestParser();
  readonly #gone = new AbortController();
  readonly #waiting: ChannelRequest[] = [];
  #running = 0;

  /** Serves until either end closes. The socket must be closed when `signal`s of others fire; see `close`. */
  constructor(parts: ChannelParts) {
    this.#parts = parts;
    const { socket } = parts;
    // A flood of aborts' listeners is not what these are: one for each answer under way.
    socket.setMaxListeners(2 * channelLimits.answersAtOnce + 8);
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.once("end", () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#gone.abort());
  }

  /** Something is being read, or waits for its turn, and the other end takes what it is sent. */
  get isBusy(): boolean {
    return this.#running > 0 && this.#parts.socket.writableLength === 0;
  }

  /** Takes bytes of the asker. */
  #take(bytes: Buffer): void {
    const { socket, log } = this.#parts;
    try {
      this.#waiting.push(...this.#parser.push(bytes));
    } catch (error) {
      log.warn({ err: error }, "a record channel is closed: what came is no request");
      socket.destroy();
      return;
    }
    this.#next();
  }

  #next(): void {
    const { socket } = this.#parts;
    while (this.#running < channelLimits.answersAtOnce && !this.#gone.signal.aborted) {
      const request = this.#waiting.shift();
      if (request === undefined) break;
      this.#running++;
      void this.#answer(request).finally(() => {
        this.#running--;
        this.#next();
      });
    }
    if (this.#waiting.length > channelLimits.requestsWaiting) socket.pause();
    else if (socket.isPaused()) socket.resume();
  }

  /** Never throws: what goes wrong closes the channel, and the asker asks again by `read`. */
  async #answer(request: ChannelRequest): Promise<void> {
    const { socket, slots, log } = this.#parts;
    const { signal } = this.#gone;
    try {
      await slots.take(signal);
      try {
        await this.#send(request);
      } finally {
        slots.free();
      }
    } catch (error) {
      if (!signal.aborted) log.info({ err: error }, "a record channel is closed");
      socket.destroy();
    }
  }

  async #send({ ticket, group, ids }: ChannelRequest): Promise<void> {
    const { vault, readNow, log, demandRights, reads } = this.#parts;
    const { signal } = this.#gone;
    demandRights();
    reads(ids.length / Width.id);
    const places = vault.store.readableBatch(group, ids);
    const order = placeOrder(places);
    const pieces = new Pieces(this.#parts.socket);
    let next = 0;
    const asTheyLie = order.length === 1 ? ids : Buffer.concat(order.map((index) => idAt(ids, index)));
    const records = vault.read(group, asTheyLie, { unhashed: true, readNow });
    for await (const outcome of records) {
      if (signal.aborted) return;
      const index = order[next++] as number;
      if (outcome instanceof HoldfastError && promisingBox(outcome) === undefined) {
        const { code, message, detail } = outcome;
        const about = vault.about(group, idAt(ids, index));
        log.warn({ code, why: message, ...detail, ...about }, "record cannot be read");
      }
      pieces.add(headOf(ticket, index, outcome), outcome);
      if (pieces.bytes < gatherBytes) continue;
      demandRights();
      if (!pieces.write()) await drained(this.#parts.socket, signal);
    }
    if (signal.aborted) return;
    demandRights();
    pieces.end();
  }
}

/** Before the record, or before the number of the box that brings it. */
function headOf(ticket: number, index: number, outcome: ReadOutcome | undefined): Buffer {
  const box = promisingBox(outcome);
  if (box === undefined) return encodeAnswerHead(ticket, index, lengthOf(outcome));
  return Buffer.concat([encodeAnswerHead(ticket, index, ReadSign.promised), encodeReadLength(box)]);
}

function lengthOf(outcome: ReadOutcome | undefined): number {
  if (outcome === undefined) return ReadSign.missing;
  if (!(outcome instanceof HoldfastError)) return outcome.length;
  return isOutage(outcome) ? ReadSign.unavailable : ReadSign.damaged;
}

/** What is written together, and the memory that is of no more use when it was sent. */
class Pieces {
  readonly #socket: Duplex;
  #pieces: Buffer[] = [];
  /** Records lie in memory that several of them share, one after the other. */
  #current: Buffer | undefined;
  #used: Buffer[] = [];
  bytes = 0;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  add(head: Buffer, record: ReadOutcome | undefined): void {
    this.#pieces.push(head);
    this.bytes += head.length;
    if (!Buffer.isBuffer(record)) return;
    this.#pieces.push(record);
    this.bytes += record.length;
    if (this.#current !== undefined && this.#current.buffer !== record.buffer) this.#used.push(this.#current);
    this.#current = record;
  }

  /** Whether the socket takes more at once. */
  write(): boolean {
    const [pieces, used] = [this.#pieces, this.#used];
    if (pieces.length === 0) return true;
    this.#pieces = [];
    this.#used = [];
    this.bytes = 0;
    const socket = this.#socket;
    let takesMore = true;
    // Each write of its own would be a TLS record of its own, and wake the other side.
    socket.cork();
    const last = pieces.length - 1;
    for (const [index, piece] of pieces.entries()) {
      takesMore = socket.write(piece, index < last ? undefined : () => used.forEach(giveBack));
    }
    socket.uncork();
    return takesMore;
  }

  /** Writes the last of it. */
  end(): void {
    if (this.#current !== undefined) this.#used.push(this.#current);
    this.#current = undefined;
    this.write();
  }
}
