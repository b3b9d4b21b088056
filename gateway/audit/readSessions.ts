// Who reads content: not each of thousands of requests, but that it began, and when it was over, what it was.
//
// Invariants: a reader is an actor at an address; what it reads is one session until nothing was read for `idleMs`. At most `sessionsMax` are
// remembered: the one that rested longest ends for a new one.

import type { AuditActor, AuditFacts } from "./events.ts";

export type Reading = {
  readonly actor: AuditActor;
  readonly address: string;
  readonly snapshot?: string;
  readonly records?: number;
  readonly packs?: number;
};

type Session = {
  readonly actor: AuditActor;
  readonly address: string;
  readonly since: string;
  lastMs: number;
  requests: number;
  records: number;
  packs: number;
  readonly snapshots: Set<string>;
};

const idleMs = 10 * 60_000;
const lookMs = 60_000;
const sessionsMax = 5000;
const snapshotsMax = 8;

export class ReadSessions {
  readonly #note: (facts: AuditFacts) => void;
  readonly #now: () => Date;
  readonly #monotonicMs: () => number;
  /** The one that read last is last. */
  readonly #sessions = new Map<string, Session>();
  /** Devices that back up now. */
  readonly #uploading = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(note: (facts: AuditFacts) => void, now: () => Date, monotonicMs: () => number) {
    this.#note = note;
    this.#now = now;
    this.#monotonicMs = monotonicMs;
  }

  read({ actor, address, snapshot, records = 0, packs = 0 }: Reading): void {
    const key = `${actor.kind} ${actor.id} ${address}`;
    const known = this.#sessions.get(key);
    const session = known ?? {
      ...{ actor, address, since: this.#now().toISOString() },
      ...{ lastMs: 0, requests: 0, records: 0, packs: 0, snapshots: new Set<string>() },
    };
    session.lastMs = this.#monotonicMs();
    session.requests++;
    session.records += records;
    session.packs += packs;
    if (snapshot !== undefined && session.snapshots.size < snapshotsMax) session.snapshots.add(snapshot);
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    if (known === undefined && !this.#uploading.has(actor.id ?? "")) {
      const subject = { phase: "begun", ...(snapshot !== undefined && { snapshot }) };
      this.#note({ event: "content.read", outcome: "done", actor, address, subject });
    }
    if (this.#sessions.size > sessionsMax) {
      const [[oldest, { lastMs }]] = this.#sessions as unknown as [[string, Session]];
      this.#end(oldest, lastMs);
    }
    this.#timer ??= setInterval(() => this.endIdle(), lookMs).unref();
  }

  /** A device is in a backup from now on, or not any more: it compares with what it sent before. */
  uploads(device: string, isUploading: boolean): void {
    if (isUploading) this.#uploading.add(device);
    else this.#uploading.delete(device);
  }

  /** Writes the ends of sessions in which nothing was read for long. */
  endIdle(): void {
    for (const [key, { lastMs }] of this.#sessions) {
      if (this.#monotonicMs() - lastMs >= idleMs) this.#end(key, lastMs);
    }
  }

  /** Ends all of them. */
  close(): void {
    clearInterval(this.#timer);
    for (const [key, { lastMs }] of this.#sessions) this.#end(key, lastMs);
  }

  #end(key: string, lastMs: number): void {
    const session = this.#sessions.get(key);
    if (session === undefined) return;
    this.#sessions.delete(key);
    const { actor, address, since, requests, records, packs, snapshots } = session;
    const restedSeconds = Math.round((this.#monotonicMs() - lastMs) / 1000);
    this.#note({
      event: "content.read",
      outcome: "done",
      ...{ actor, address },
      subject: { phase: "ended", since, restedSeconds, requests, records, packs, snapshots: [...snapshots] },
    });
  }
}
