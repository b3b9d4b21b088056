// An upload session at the gateway, as the backup needs it. Broken connections are the backup's own affair
// (agent/upload/resend.ts).

import { bitAt } from "../../ingest/wire/bitmap.ts";
import type { BackupFigures } from "../../ingest/wire/figures.ts";
import type { ProgressRequest, SessionAnswer, SnapshotRow } from "../../ingest/wire/messages.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";
import type { RecordsAnswer } from "../../ingest/wire/recordStatus.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { recordEpoch } from "../../vault/record.ts";
import { parseSnapshotHeader } from "../../vault/snapshot.ts";
import type { BackupSession } from "../backup/request.ts";
import type { AgentConnection } from "./connection.ts";
import { resealedRecord, resealedSnapshot } from "./resealed.ts";
import { reportSuspects } from "./suspects.ts";

/** Of one request: more than one while it is under way is not chance. */
const rotationsMax = 3;

export class GatewayBackupSession implements BackupSession {
  readonly itemId: string;
  readonly #connection: AgentConnection;
  readonly #session: SessionAnswer;
  readonly #item: string;
  readonly #vault: string;
  readonly #signal: AbortSignal;

  private constructor(
    connection: AgentConnection,
    item: { readonly id: string; readonly name: string },
    session: SessionAnswer,
    signal: AbortSignal,
  ) {
    this.#connection = connection;
    this.itemId = item.id;
    this.#item = item.name;
    this.#session = session;
    this.#vault = connection.enrollment.vault;
    this.#signal = signal;
  }

  /**
   * Starts a session for an item, which is made if it is new.
   * @throws HoldfastError rollback-detected, token-invalid, usage (name), gateway-unreachable, home-forged, home-behind
   */
  static async start(
    connection: AgentConnection,
    item: string,
    signal: AbortSignal,
  ): Promise<GatewayBackupSession> {
    const { enrollment, seen } = connection;
    return await connection.atHome(async () => {
      const { client } = connection;
      const { id, name } = await client.putItem(item);
      const highestSequence = seen.sequence(name);
      const session = await client.startSession({ vault: enrollment.vault, item: id, highestSequence });
      return new GatewayBackupSession(connection, { id, name }, session, signal);
    });
  }

  get #appendOnly(): boolean {
    return this.#connection.enrollment.appendOnly === true;
  }

  get group(): number {
    return this.#session.group;
  }

  get head(): string | null {
    return this.#session.head;
  }

  get sequence(): number {
    return this.#session.sequence;
  }

  get cacheToken(): string {
    return this.#session.cacheToken;
  }

  get empty(): boolean {
    return this.#session.empty === true;
  }

  async whole(ids: readonly Uint8Array[]): Promise<readonly boolean[] | undefined> {
    try {
      const bitmap = await this.#connection.client.whole(this.#session.session, ids, this.#signal);
      return ids.map((_, i) => bitAt(bitmap, i));
    } catch (error) {
      // An older gateway, that does not know the question.
      if (isHoldfastError(error, ErrorCode.notFound)) return undefined;
      throw error;
    }
  }

  have(ids: readonly Uint8Array[]): Promise<Buffer> {
    return this.#connection.client.have(this.#session.session, ids, this.#signal);
  }

  /** What is sealed in an older key epoch than the vault is at meanwhile is sealed anew; so is all that comes after it, by whoever has the keys. */
  records(records: readonly Uint8Array[]): Promise<RecordsAnswer> {
    const send = (some: readonly Uint8Array[]): Promise<RecordsAnswer> =>
      this.#connection.client.records(this.#session.session, some, this.#signal);
    return this.#withNewestKeys(
      () => send(records),
      (keys) => send(records.map((record) => resealedRecord(keys, this.group, record))),
    );
  }

  async #withNewestKeys<T>(first: () => Promise<T>, again: (keys: VaultKeys) => Promise<T>): Promise<T> {
    for (let rotations = 0; ; rotations++) {
      try {
        return rotations === 0
          ? await first()
          : await again(await this.#connection.keys(this.#vault, "write"));
      } catch (error) {
        if (!isHoldfastError(error, ErrorCode.keysRotated) || rotations === rotationsMax) throw error;
        await this.#connection.renewKeys(this.#vault);
      }
    }
  }

  async read(ids: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    // It would be refused: what an append-only device does not know itself is sent anew.
    if (this.#appendOnly) return ids.map(() => undefined);
    const results: (Buffer | undefined)[] = [];
    for (let at = 0; at < ids.length; at += wireLimits.idsPerRead) {
      const some = ids.slice(at, at + wireLimits.idsPerRead);
      const { client } = this.#connection;
      for await (const result of client.read(this.#vault, this.group, some, this.#signal)) {
        const record = result.state === "record" ? result.record : undefined;
        const epoch = record && recordEpoch(record);
        // Another device may have the newer keys already: what it wrote is not wrong for that.
        if (epoch !== undefined) await this.#connection.requireEpoch(this.#vault, epoch);
        results.push(record);
      }
    }
    return results;
  }

  suspect(ids: readonly Uint8Array[]): Promise<(string | undefined)[]> {
    return reportSuspects(this.#connection.client, this.#vault, this.group, ids);
  }

  async gatewayId(): Promise<string | undefined> {
    return (await this.#connection.client.hello()).id;
  }

  async snapshotObject(id: string): Promise<Buffer> {
    const object = await this.#connection.client.snapshotObject(id, this.#signal);
    await this.#connection.requireEpoch(this.#vault, parseSnapshotHeader(object).keyEpoch);
    return object;
  }

  async newestSnapshots(): Promise<readonly SnapshotRow[]> {
    if (this.#appendOnly) return [];
    const rows = await this.#connection.client.snapshots({ newest: wireLimits.newestSnapshots });
    return rows.filter(({ vault }) => vault === this.#vault);
  }

  commit(
    object: Buffer,
    figures: BackupFigures,
  ): Promise<{ readonly snapshot: string; readonly received: string }> {
    const send = (one: Buffer): ReturnType<BackupSession["commit"]> =>
      this.#connection.client.commit(this.#session.session, one, { figures, signal: this.#signal });
    return this.#withNewestKeys(
      () => send(object),
      (keys) => send(resealedSnapshot(keys, object)),
    );
  }

  /** Says how far the backup is. @throws HoldfastError backup-cancelled; not-found at a gateway that does not know the question */
  tellProgress(told: ProgressRequest, signal: AbortSignal): Promise<void> {
    return this.#connection.client.tellProgress(this.#session.session, told, signal);
  }

  remember(): void {
    this.#connection.seen.noteSequence(this.#item, this.sequence + 1);
  }
}
