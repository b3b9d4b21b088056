// Which boxes are on their way to a vault, and what each has promised (docs/seeding.md; docs/concurrency.md, "Promises").
//
// Invariants
// - A list counts from the transaction on that calls its seal open; a box that was closed is never open again.
// - What is asked is answered from memory and pages alone; nothing is written by asking.
// - Changes of lists run one after the other. Pages that no box row calls open, and that nobody is writing, are removed.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { readChunkList } from "../../vault/seed/chunkList.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";
import { type ListName, PrefixPages } from "./prefixPages.ts";

/** A box as a vault knows it. */
export type PromisedBox = {
  readonly box: number;
  /** Of the newest list that counted. */
  readonly seal: number;
  readonly chunks: number;
  readonly state: "open" | "closed";
};

/** What is promised: a list of chunks (format.md, 12.3) of one seal of a box. */
export type ListToOpen = ListName & { readonly list: Iterable<Uint8Array> | AsyncIterable<Uint8Array> };

const numberMax = 2 ** 32 - 2;

export class Promises {
  readonly #environment: IndexEnvironment;
  readonly #boxes: Table<PromisedBox>;
  readonly #pages: PrefixPages;
  /** Open boxes, by number ascending. */
  #open: readonly PromisedBox[];
  #changes = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#boxes = openTable(environment, "seed-boxes", jsonCodec<PromisedBox>());
    this.#pages = new PrefixPages(environment);
    this.#open = this.#readOpen();
  }

  /** How often it changed in this process which boxes are open: what was found out of promised rows is good while this stays. */
  get changes(): number {
    return this.#changes;
  }

  #setOpen(open: readonly PromisedBox[]): void {
    this.#open = open;
    this.#changes++;
  }

  /** All boxes that ever promised something, by number. */
  boxes(): PromisedBox[] {
    return this.#boxes.entries().map(([, box]) => box);
  }

  /** Numbers of the boxes that are on their way, ascending. */
  open(): number[] {
    return this.#open.map(({ box }) => box);
  }

  get any(): boolean {
    return this.#open.length > 0;
  }

  isOpen(box: number): boolean {
    return this.#open.some((open) => open.box === box);
  }

  /** The lowest number of an open box, other than `without`, that promises an id (32 bytes) of a group. */
  boxOf(group: number, id: Uint8Array, without?: number): number | undefined {
    for (const list of this.#open)
      if (list.box !== without && this.#pages.has(list, group, id)) return list.box;
    return undefined;
  }

  /**
   * Takes in a list; it counts when this resolves, by one transaction, of which `commit` is a part. A list of a lower seal of the same box is
   * replaced. `room` is asked now and then while it is written. Memory: a piece of the list, and 1 MiB.
   * @throws HoldfastError exists for a box that is closed, or a seal that is not above the one that is open; truncated, corrupt, unsupported;
   * disk-full, io-error; what `commit` and `room` throw. Nothing counts then
   */
  load(
    { box, seal, list }: ListToOpen,
    commit?: () => void,
    room: () => Promise<void> = async () => undefined,
  ): Promise<void> {
    return this.#inTurn(async () => {
      this.#requireNew(box, seal);
      await this.#removeLeft();
      const chunks = await this.#pages
        .write({ box, seal }, readChunkList(list), room)
        .catch(async (error: unknown) => {
          await this.#removeLeft();
          throw error;
        });
      this.#environment.write(() => {
        this.#boxes.put(keyOf(box), { box, seal, chunks, state: "open" });
        commit?.();
      });
      this.#setOpen(this.#readOpen());
      await this.#removeLeft();
    });
  }

  #requireNew(box: number, seal: number): void {
    if (!(box > 0 && box <= numberMax && seal > 0 && seal <= numberMax)) {
      throw new HoldfastError(ErrorCode.corrupt, `box ${box}, seal ${seal}: no such numbers`);
    }
    const known = this.#boxes.get(keyOf(box));
    if (known === undefined) return;
    if (known.state === "closed") {
      throw new HoldfastError(
        ErrorCode.exists,
        `nothing more is expected of box ${box}: it was imported or abandoned`,
      );
    }
    if (seal <= known.seal) {
      throw new HoldfastError(ErrorCode.exists, `box ${box} has promised by seal ${known.seal} already`);
    }
  }

  /**
   * Ends the promises of a box. It answers no more from the call on; `flush` then runs its argument in a transaction behind everything that
   * was decided before, and that transaction counts. Where it fails the box is open as it was.
   * @throws HoldfastError not-found for a box that is not open; what `flush` throws
   */
  close(box: number, flush: (change: () => void) => Promise<void>): Promise<void> {
    return this.#inTurn(async () => {
      const known = this.#open.find((open) => open.box === box);
      if (known === undefined)
        throw new HoldfastError(ErrorCode.notFound, `box ${box} has promised nothing here`);
      this.#setOpen(this.#open.filter((open) => open.box !== box));
      try {
        await flush(() => this.#boxes.put(keyOf(box), { ...known, state: "closed" }));
      } catch (error) {
        this.#setOpen(this.#readOpen());
        throw error;
      }
      await this.#removeLeft();
    });
  }

  /** Removes what a stop left of lists that do not count. To be called when the vault is opened. */
  removeLeft(): Promise<void> {
    return this.#inTurn(() => this.#removeLeft());
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  async #removeLeft(): Promise<void> {
    for (const list of this.#pages.lists()) {
      const counts = this.#open.some(({ box, seal }) => box === list.box && seal === list.seal);
      if (!counts) await this.#pages.remove(list);
    }
  }

  #readOpen(): PromisedBox[] {
    return this.boxes().filter(({ state }) => state === "open");
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work);
    this.#turn = run.catch(() => {});
    return run;
  }
}

function keyOf(box: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(box);
  return key;
}
