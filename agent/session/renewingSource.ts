// The view's records, with keys that know their epochs: a drive may be older than a rotation of the vault's keys, and what it reads newer.

import type { RecordResult, RecordSource, TakeRecord } from "../../fs/view/ports.ts";
import { recordEpoch } from "../../vault/record.ts";
import type { AgentConnection } from "./connection.ts";

export class RenewingRecordSource implements RecordSource {
  readonly #source: RecordSource;
  readonly #connection: Pick<AgentConnection, "lacksEpoch" | "requireEpoch">;

  constructor(source: RecordSource, connection: Pick<AgentConnection, "lacksEpoch" | "requireEpoch">) {
    this.#source = source;
    this.#connection = connection;
  }

  async readEach(
    vaultId: string,
    group: number,
    ids: readonly Uint8Array[],
    take: TakeRecord,
    signal?: AbortSignal,
  ): Promise<void> {
    const held: { readonly index: number; readonly result: RecordResult; readonly epoch: number }[] = [];
    const takeOrHold: TakeRecord = (index, result) => {
      const epoch = result.state === "record" ? recordEpoch(result.record) : undefined;
      if (epoch === undefined || !this.#connection.lacksEpoch(vaultId, epoch)) take(index, result);
      else held.push({ index, result, epoch });
    };
    await this.#source.readEach(vaultId, group, ids, takeOrHold, signal);
    for (const { index, result, epoch } of held) {
      await this.#connection.requireEpoch(vaultId, epoch);
      take(index, result);
    }
  }

  discard(vaultId: string, group: number, id: Uint8Array): boolean {
    return this.#source.discard?.(vaultId, group, id) === true;
  }
}
