// Events that strangers can bring about as often as they like: the first ones of a minute are written, the rest is counted.
//
// Invariants: at most `perSource` lines of one event and address and `perEvent` of one event a window, and one line for what was counted; memory is
// bounded by these and by `addressesMax`.

import type { AuditEvent, AuditFacts } from "./events.ts";

const windowMs = 60_000;
const perSource = 10;
const perEvent = 20;
const addressesMax = 1000;

export class FloodGate {
  readonly #write: (facts: AuditFacts) => void;
  readonly #now: () => Date;
  readonly #sources = new Map<string, number>();
  readonly #counted = new Map<AuditEvent, number>();
  readonly #addresses = new Set<string>();
  readonly #written = new Map<AuditEvent, number>();
  #since = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(write: (facts: AuditFacts) => void, now: () => Date) {
    this.#write = write;
    this.#now = now;
  }

  note(facts: AuditFacts): void {
    if (this.#timer === undefined) {
      this.#since = this.#now().toISOString();
      this.#timer = setTimeout(() => this.endWindow(), windowMs).unref();
    }
    const { event, address = "" } = facts;
    const source = `${event} ${address}`;
    const before = this.#sources.get(source) ?? 0;
    const written = this.#written.get(event) ?? 0;
    if (written < perEvent && before < perSource) {
      this.#written.set(event, written + 1);
      this.#sources.set(source, before + 1);
      this.#write(facts);
      return;
    }
    this.#counted.set(event, (this.#counted.get(event) ?? 0) + 1);
    if (this.#addresses.size < addressesMax) this.#addresses.add(address);
  }

  /** Writes what was counted, and begins anew. */
  endWindow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#counted.size > 0) {
      this.#write({
        event: "log.counted",
        outcome: "done",
        actor: { kind: "gateway" },
        subject: {
          since: this.#since,
          events: [...this.#counted].map(([event, count]) => `${event} ${count}`),
          addresses: this.#addresses.size,
          moreAddresses: this.#addresses.size === addressesMax,
        },
      });
    }
    this.#written.clear();
    this.#sources.clear();
    this.#counted.clear();
    this.#addresses.clear();
  }
}
