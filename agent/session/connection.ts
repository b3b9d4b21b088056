// An enrolled machine's way to its gateway and to its keys.
//
// The gateway is the home that the newest believed record names (agent/home/). What is believed is written down before it is used.

import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import type { Line } from "../../ingest/line/line.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { Operation } from "../../vault/features.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import type { EscrowHolder } from "../../vault/keys/wraps.ts";
import { requireFeatures } from "../../vault/vaultDocument.ts";
import { askDirectory, learntDirectory, movedTo, redirectsMax } from "../home/followHome.ts";
import { seenRecord } from "../home/trustedHome.ts";
import { type Enrollment, readEnrollment, writeEnrollment } from "../state/enrollment.ts";
import { Seen } from "../state/seen.ts";
import { ChannelRecordSource } from "./channelRecordSource.ts";
import { type OpenedVault, openVault } from "./openVault.ts";
import { GatewayRecordSource } from "./recordSource.ts";

/** A person who waits for a list should soon hear that the gateway is away. */
const triesUsual = 5;
/** About half a minute: a job outlasts a gateway that restarts. */
export const triesPatient = 9;

/** A gateway that is read from in the place of this machine's home: a box to restore from, say. */
export type GatewayAddress = { readonly url: string; readonly fingerprint: string };

/** How the gateway is reached: over which line, and whether another one is read from than the home; nothing of that one is written down. */
export type Way = { readonly line?: Line | undefined; readonly elsewhere?: GatewayAddress | undefined };

/** A request with records takes so long at most, so that little is lost with a connection; and has at least so much. */
const bodySeconds = 10;
const bodyBytesMin = 64 * 1024;

/** Of a record whose epoch nobody knows (bits flip), the keys are not asked for more often. */
const vainRenewalMs = 10_000;

export class AgentConnection {
  readonly seen: Seen;
  readonly #state: string;
  readonly #triesMax: number;
  /** Of the command, where there is one. */
  readonly #signal: AbortSignal | undefined;
  readonly #line: Line | undefined;
  readonly #elsewhere: GatewayAddress | undefined;
  #enrollment: Enrollment;
  #client: GatewayClient;
  readonly #former: GatewayClient[] = [];
  readonly #vaults = new Map<string, Promise<OpenedVault>>();
  /** Keys that were handed out, and those that are being fetched for them anew. */
  readonly #keys = new Map<string, VaultKeys>();
  readonly #renewals = new Map<string, Promise<void>>();
  readonly #vainMs = new Map<string, number>();

  /**
   * Reads the state directory; nothing is sent yet. `triesMax`: how often a request is tried while the gateway does not answer.
   * @throws HoldfastError data-dir-invalid, unsupported
   */
  constructor(state: string, triesMax: number = triesUsual, way: Way = {}, signal?: AbortSignal) {
    this.#state = state;
    this.#triesMax = triesMax;
    this.#signal = signal;
    this.#line = way.line;
    this.#elsewhere = way.elsewhere;
    this.#enrollment = readEnrollment(state);
    this.#client = this.#connect();
    this.seen = new Seen(state);
  }

  /** As the constructor, and asks the directory where the home is another gateway. @throws HoldfastError home-forged, home-behind */
  static async open(
    state: string,
    triesMax?: number,
    signal?: AbortSignal,
    way?: Way,
  ): Promise<AgentConnection> {
    const connection = new AgentConnection(state, triesMax, way, signal);
    if (way?.elsewhere !== undefined) return connection;
    try {
      await connection.#askDirectory();
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get enrollment(): Enrollment {
    return this.#enrollment;
  }

  /** Bytes that one request with records may have now; undefined without a limit on the line. */
  get uploadBodyBytes(): (() => number) | undefined {
    const uploads = this.#line?.uploads;
    return uploads && (() => Math.max(bodyBytesMin, uploads.rate() * bodySeconds));
  }

  /** Of the gateway that is this machine's home as far as it knows; another one after `atHome` was redirected. */
  get client(): GatewayClient {
    return this.#client;
  }

  /**
   * Runs what only the home does, and goes where a gateway that is not it sends us.
   * @throws HoldfastError home-forged, home-behind, gateway-unreachable, protocol; what `work` throws
   */
  async atHome<T>(work: () => Promise<T>): Promise<T> {
    if (this.#enrollment.directory === undefined) await this.#learnDirectory();
    for (let redirects = 0; ; redirects++) {
      try {
        return await work();
      } catch (error) {
        if (!isHoldfastError(error, ErrorCode.notHome) || redirects === redirectsMax) throw error;
        await this.#follow(String(error.detail.record), error);
      }
    }
  }

  /**
   * Whether a run that failed with this may start over, because its device's home is another gateway meanwhile; the connection leads there then.
   * @throws HoldfastError home-forged, home-behind, gateway-unreachable, protocol
   */
  async hasMoved(error: unknown): Promise<boolean> {
    const before = this.#enrollment.gateway.fingerprint;
    if (isHoldfastError(error, ErrorCode.notHome)) await this.#follow(String(error.detail.record), error);
    else if (isHoldfastError(error, ErrorCode.sessionEnded) && this.#enrollment.directory !== undefined) {
      // Leases end when a home moves; the gateway that ended it has the record in force.
      const { record } = await this.#client.home();
      if (record !== null && record !== this.#enrollment.homeRecord) await this.#follow(record);
    }
    return this.#enrollment.gateway.fingerprint !== before;
  }

  /** Takes gateway and directory as they are now: their owner says that an older state is meant. */
  acceptOlder(): void {
    this.seen.forget();
    const { homeRecord: _seen, ...rest } = this.#enrollment;
    this.#enrollment = rest;
    writeEnrollment(this.#state, rest);
  }

  async #learnDirectory(): Promise<void> {
    const directory = await learntDirectory(this.#client, this.#enrollment.gateway);
    if (directory !== undefined) this.#note({ ...this.#enrollment, directory });
  }

  async #askDirectory(): Promise<void> {
    const record = await askDirectory(this.#enrollment, this.#line, this.#signal);
    if (record !== undefined && record !== this.#enrollment.homeRecord) await this.#follow(record);
  }

  /** Goes where a record leads. One that leads to the gateway which showed it as a redirect contradicts itself. */
  async #follow(record: string, redirect?: HoldfastError): Promise<void> {
    const way = { line: this.#line, triesMax: this.#triesMax, signal: this.#signal };
    const moved = await movedTo(record, this.#enrollment, way);
    const same = moved.gateway.fingerprint === this.#enrollment.gateway.fingerprint;
    this.#note(moved);
    if (redirect !== undefined && same) {
      throw new HoldfastError(ErrorCode.protocol, "the gateway sends this machine to itself", {
        cause: redirect,
      });
    }
    if (same) return;
    // Requests of the former gateway may be under way: reading is not bound to the home.
    this.#former.push(this.#client);
    this.#client = this.#connect();
  }

  /** Another command may have seen a newer record meanwhile: that one stays. */
  #note(enrollment: Enrollment): void {
    const there = seenRecord(readEnrollment(this.#state))?.generation ?? 0;
    this.#enrollment = enrollment;
    if (there <= (seenRecord(enrollment)?.generation ?? 0)) writeEnrollment(this.#state, enrollment);
  }

  #connect(): GatewayClient {
    const { gateway, token } = this.#enrollment;
    const { url, fingerprint } = this.#elsewhere ?? gateway;
    return new GatewayClient({ url, fingerprint, token, triesMax: this.#triesMax, line: this.#line });
  }

  /**
   * The keys of a vault, opened with this device's key once.
   * @param operation what will be done with the vault: its feature flags may forbid it
   * @throws HoldfastError key-wrong, unsupported, rollback-detected, token-invalid, gateway-unreachable
   */
  async keys(vault: string, operation: Operation): Promise<VaultKeys> {
    let opening = this.#vaults.get(vault);
    if (opening === undefined) {
      opening = this.#open(vault, operation);
      this.#vaults.set(vault, opening);
      opening.catch(() => this.#vaults.delete(vault));
    }
    const { document, keys } = await opening;
    this.#keys.set(vault, keys);
    // Each time: it may have been opened for something else.
    requireFeatures(document, operation);
    return keys;
  }

  /** Whether the keys that were handed out of a vault are older than this epoch. */
  lacksEpoch(vault: string, epoch: number): boolean {
    return this.#keys.get(vault)?.hasEpoch(epoch) === false;
  }

  /**
   * Sees to it that the keys of a vault that were handed out have an epoch which something has that was read: they were rotated since. Where they
   * have it not even then, whoever opens it says so.
   * @throws HoldfastError as `keys`
   */
  async requireEpoch(vault: string, epoch: number): Promise<void> {
    if (!this.lacksEpoch(vault, epoch)) return;
    const vainMs = this.#vainMs.get(vault);
    if (vainMs !== undefined && performance.now() < vainMs + vainRenewalMs) return;
    await this.renewKeys(vault);
    if (this.lacksEpoch(vault, epoch)) this.#vainMs.set(vault, performance.now());
  }

  /** Fetches the keys of a vault anew; those that were handed out go on with the newer epochs. @throws HoldfastError as `keys`; protocol */
  renewKeys(vault: string): Promise<void> {
    const running = this.#renewals.get(vault);
    if (running !== undefined) return running;
    const renewal = this.#renew(vault).finally(() => this.#renewals.delete(vault));
    this.#renewals.set(vault, renewal);
    return renewal;
  }

  async #renew(vault: string): Promise<void> {
    const { keys } = await this.#open(vault, "read");
    const known = this.#keys.get(vault);
    const isSame = known === undefined || known.extendWith(keys);
    keys.wipe();
    if (isSame) return;
    throw new HoldfastError(ErrorCode.protocol, "the gateway sent keys that do not follow those of before");
  }

  /**
   * What changed of who can open a vault's keys besides the owner and the devices, since this machine last told; it counts as told from now on.
   * Of a vault whose keys were opened. @throws HoldfastError disk-full, io-error
   */
  async escrowNews(vault: string): Promise<{ added: EscrowHolder[]; removed: EscrowHolder[] }> {
    const escrows = (await this.#vaults.get(vault))?.escrows ?? [];
    return this.#elsewhere === undefined ? this.seen.noteEscrows(vault, escrows) : { added: [], removed: [] };
  }

  #open(vault: string, operation: Operation): Promise<OpenedVault> {
    const { client, enrollment, seen } = this;
    return openVault({ client, enrollment, vault, operation, seen: this.#elsewhere ? undefined : seen });
  }

  /** The keys of every vault of the account that this device may open, by vault id. */
  async allKeys(): Promise<ReadonlyMap<string, VaultKeys>> {
    const { vaults } = await this.client.me();
    const opened = new Map<string, VaultKeys>();
    for (const { id } of vaults) {
      try {
        opened.set(id, await this.keys(id, "read"));
      } catch (error) {
        // A vault that was made after this device was enrolled is not for it.
        if (!isHoldfastError(error, ErrorCode.keyWrong)) throw error;
      }
    }
    return opened;
  }

  /** Reads records over channels of their own, which whoever asks for it closes. `memory` gives the memory that they come in. */
  channelSource(memory: (bytes: number) => Buffer): ChannelRecordSource {
    const { gateway, token } = this.enrollment;
    const plain = new GatewayRecordSource(this.client);
    const { url, fingerprint } = this.#elsewhere ?? gateway;
    return new ChannelRecordSource({
      plain,
      url: new URL(url),
      fingerprint,
      token,
      memory,
      line: this.#line,
    });
  }

  close(): void {
    for (const client of [...this.#former, this.#client]) client.close();
  }
}
