// The view's records over record channels, one for each vault, where there are any, and by HTTPS requests else: while a channel is being
// opened, where a gateway knows none, and for all that a channel left unanswered.
//
// Invariants: nobody waits for a channel to be opened; every id is handed over once; what came over a channel and did not open is
// asked for by `plain`, whose gateway compares the hash.

import type { RecordSource, TakeRecord } from "../../fs/view/ports.ts";
import { ConnectionLost } from "../../ingest/client/exchange.ts";
import { type ChannelAddress, NoChannel, RecordChannel } from "../../ingest/client/recordChannel.ts";
import { SuspectRecords } from "../../vault/suspectRecords.ts";
import type { GatewayRecordSource } from "./recordSource.ts";

/** Not before: what opens no channel now may be another gateway, or another version of it, one day ... */
const refusedMs = 10 * 60_000;
/** ... and one that does not answer comes back sooner. */
const failedMs = 5_000;

export type ChannelRecordSourceOptions = Omit<ChannelAddress, "vault"> & {
  /** Reads without channels. */
  readonly plain: GatewayRecordSource;
  /** Gives the memory that records come in; memory of their own by default. */
  readonly memory?: ((bytes: number) => Buffer) | undefined;
};

type State =
  | { readonly kind: "opening" }
  | { readonly kind: "open"; readonly channel: RecordChannel }
  | { readonly kind: "none"; readonly untilMs: number };

export class ChannelRecordSource implements RecordSource {
  readonly #options: ChannelRecordSourceOptions;
  readonly #memory: (bytes: number) => Buffer;
  readonly #states = new Map<string, State>();
  readonly #suspects = new SuspectRecords();
  #closed = false;

  constructor(options: ChannelRecordSourceOptions) {
    this.#options = options;
    this.#memory = options.memory ?? ((bytes) => Buffer.allocUnsafeSlow(bytes));
  }

  async readEach(
    vaultId: string,
    group: number,
    ids: readonly Uint8Array[],
    take: TakeRecord,
    signal?: AbortSignal,
  ): Promise<void> {
    const { plain } = this.#options;
    const channel = this.#suspects.take(vaultId, group, ids) ? undefined : this.#channelOf(vaultId);
    if (channel === undefined) return plain.readEach(vaultId, group, ids, take, signal);
    const left = new Set(ids.keys());
    const taken: TakeRecord = (index, result) => {
      left.delete(index);
      take(index, result);
    };
    try {
      await channel.read(group, ids, taken, signal);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      const rest = [...left];
      if (rest.length === 0) return;
      const asked = rest.map((index) => ids[index] as Uint8Array);
      await plain.readEach(vaultId, group, asked, (at, result) => take(rest[at] as number, result), signal);
    }
  }

  /** A record did not open: the next read of it compares its hash at the gateway. */
  discard(vault: string, group: number, id: Uint8Array): boolean {
    this.#suspects.add(vault, group, id);
    return true;
  }

  #channelOf(vault: string): RecordChannel | undefined {
    const state = this.#states.get(vault);
    if (state?.kind === "open" && state.channel.isOpen) return state.channel;
    // What comes over a channel is not held back.
    if (this.#options.line?.downloads !== undefined) return undefined;
    if (state?.kind === "opening" || this.#closed) return undefined;
    if (state?.kind === "none" && performance.now() < state.untilMs) return undefined;
    this.#states.set(vault, { kind: "opening" });
    void this.#open(vault);
    return undefined;
  }

  /** Never throws: why there is no channel shows to who reads without. */
  async #open(vault: string): Promise<void> {
    const { url, fingerprint, token, line } = this.#options;
    try {
      const channel = await RecordChannel.open({ url, fingerprint, token, vault, line }, this.#memory);
      if (this.#closed) channel.close();
      this.#states.set(vault, { kind: "open", channel });
    } catch (error) {
      const pauseMs = error instanceof NoChannel ? refusedMs : failedMs;
      this.#states.set(vault, { kind: "none", untilMs: performance.now() + pauseMs });
    }
  }

  /** Closes all channels; what is being read over them goes on by `plain`. */
  close(): void {
    this.#closed = true;
    for (const state of this.#states.values()) if (state.kind === "open") state.channel.close();
  }
}
