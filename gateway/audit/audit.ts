// The gateway's audit log, and what is noted in it less often than it happens.

import { fromHex } from "../../vault/bytes.ts";
import { hkdf } from "../../vault/keys/hkdf.ts";
import type { DataDir } from "../dataDir.ts";
import { auditFolder } from "./auditFiles.ts";
import { AuditLog } from "./auditLog.ts";
import type { AuditHead, LineSeal } from "./entry.ts";
import type { AuditEvent, AuditFacts, AuditSubject } from "./events.ts";
import { FloodGate } from "./floodGate.ts";
import { ReadSessions } from "./readSessions.ts";

export type AuditOptions = {
  readonly dataDir: DataDir;
  readonly now: () => Date;
  readonly monotonicMs: () => number;
  /** There are new lines: told once a minute at most. */
  readonly written: () => void;
  readonly warn: (error: unknown, waiting: number) => void;
};

const tellMs = 60_000;

/** What the gateway did by itself. */
export function byGateway(event: AuditEvent, subject: AuditSubject): AuditFacts {
  return { event, outcome: "done", actor: { kind: "gateway" }, subject };
}

export class Audit {
  readonly folder: string;
  /** Of a box. */
  readonly seal: LineSeal | undefined;
  readonly #log: AuditLog;
  readonly #gate: FloodGate;
  readonly reads: ReadSessions;

  constructor({ dataDir, now, monotonicMs, written, warn }: AuditOptions) {
    let toldMs = Number.NEGATIVE_INFINITY;
    const tell = (): void => {
      if (monotonicMs() - toldMs < tellMs) return;
      toldMs = monotonicMs();
      written();
    };
    this.folder = auditFolder(dataDir.path);
    this.seal = sealOf(dataDir);
    this.#log = new AuditLog({ folder: this.folder, seal: this.seal, now, written: tell, warn });
    this.#gate = new FloodGate((facts) => this.#log.note(facts), now);
    this.reads = new ReadSessions((facts) => this.#log.note(facts), now, monotonicMs);
  }

  /** The newest durable line; undefined before this process wrote one. */
  get head(): AuditHead | undefined {
    return this.#log.head;
  }

  /** Ends when the line is durable; see AuditLog. */
  record(facts: AuditFacts): Promise<void> {
    return this.#log.record(facts);
  }

  /** Is durable within a second. */
  note(facts: AuditFacts): void {
    this.#log.note(facts);
  }

  /** As `note`, for what strangers can bring about at will. */
  noteOften(facts: AuditFacts): void {
    this.#gate.note(facts);
  }

  flush(): Promise<void> {
    return this.#log.flush();
  }

  async close(): Promise<void> {
    this.reads.close();
    this.#gate.endWindow();
    await this.#log.close();
  }
}

function sealOf({ box, identity }: DataDir): LineSeal | undefined {
  if (box === undefined) return undefined;
  const secret = Buffer.from(identity.secret, "base64");
  return { gateway: identity.id, key: hkdf(secret, fromHex(identity.id, 16), "holdfast audit v1", 32) };
}
