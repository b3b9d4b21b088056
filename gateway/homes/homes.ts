// Whose agents this gateway takes backups from, and the directory of homes, where it is that (docs/seeding.md, "Homes").
//
// Invariants
// - A record comes into force by one durable transaction of the catalog. From then on new sessions, `have`, uploads and commits of
//   devices that are not at home here are refused; leases are ended after that, so that a commit which passed the check before
//   meets an ended lease in its own transaction.
// - Only a directory makes records, each with a generation above all that it ever signed for the account.
// - A gateway that follows another directory takes its records only, and only newer ones.

import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { SigningKey } from "../../vault/keys/signature.ts";
import {
  type Home,
  type HomeRecord,
  homeOf,
  homesSeed,
  openHomeRecord,
  signHomeRecord,
} from "../../vault/seed/homeRecord.ts";
import { importToken } from "../../vault/seed/importToken.ts";
import type { DirectoryRow, HomeRow, HomeRows } from "../catalog/homes.ts";

export type HomesPort = {
  readonly rows: HomeRows;
  readonly gateway: () => {
    readonly id: string;
    /** 32 bytes. */
    readonly secret: Uint8Array;
    readonly name: string;
    readonly fingerprint: string;
    /** Where agents reach it; empty where that was never said. */
    readonly publicUrl: string;
    /** It is a box to restore from: nobody's home, whatever records say. */
    readonly restoresOnly: boolean;
  };
  readonly now: () => Date;
  /** Ends the leases of an account's devices that `isAway` is true for. */
  readonly endLeases: (account: string, isAway: (device: string) => boolean) => Promise<void>;
};

/** The homes of an account: where its agents belong, and devices that belong elsewhere. */
export type Homesteads = Pick<HomeRecord, "home" | "devices">;

export class Homes {
  readonly #port: HomesPort;
  readonly #key: SigningKey;
  #paused: string | undefined;

  constructor(port: HomesPort) {
    this.#port = port;
    const { id, secret } = port.gateway();
    this.#key = new SigningKey(homesSeed(secret, fromHex(id, 16)));
  }

  /** The directory that agents of this gateway are to trust. */
  directory(): DirectoryRow {
    const followed = this.#port.rows.directory();
    if (followed !== undefined) return followed;
    const { id, fingerprint, publicUrl } = this.#port.gateway();
    return { id, urls: publicUrl === "" ? [] : [publicUrl], fingerprint, signer: this.#key.publicKey };
  }

  /** Shows a box (gateway id) that this gateway is its datacentre. */
  importToken(box: string): string {
    return importToken(box, this.#key);
  }

  /** Whether this gateway is the directory of its accounts. */
  get isDirectory(): boolean {
    return this.#port.rows.directory() === undefined;
  }

  /** This gateway as a home. */
  here(): Home {
    const { id, name, fingerprint, publicUrl } = this.#port.gateway();
    return { gateway: id, name, urls: publicUrl === "" ? [] : [publicUrl], fingerprint };
  }

  /** The record in force for an account, both lines; undefined where there never was one. */
  record(account: string): Buffer | undefined {
    const row = this.#port.rows.get(account);
    return row === undefined ? undefined : Buffer.from(row.record);
  }

  /** What the record in force says; this gateway where there is none. */
  homesteads(account: string): Homesteads & { readonly generation: number } {
    const row = this.#port.rows.get(account);
    return row === undefined ? { home: this.here(), devices: [], generation: 0 } : this.#open(row.record);
  }

  /** Whether this gateway is the home of a device, or of devices that are still to be enrolled. */
  isHere(account: string, device?: string): boolean {
    const row = this.#port.rows.get(account);
    if (row === undefined) return true;
    return homeOf(this.#open(row.record), device).gateway === this.#port.gateway().id;
  }

  /** Takes nothing from anybody until `resume`. `why`: one clause. */
  pause(why: string): void {
    this.#paused = why;
  }

  resume(): void {
    this.#paused = undefined;
  }

  /** @throws HoldfastError not-home, with the record; busy while nothing is taken */
  requireHere(account: string, device?: string): void {
    if (this.#port.gateway().restoresOnly) {
      throw new HoldfastError(
        ErrorCode.forbidden,
        "this gateway is a box to restore from; it takes no backups",
        {
          next: "Back up to the account's home; `holdfast home show` on the datacentre tells where that is.",
        },
      );
    }
    if (this.#paused !== undefined) {
      throw new HoldfastError(ErrorCode.busy, this.#paused, {
        next: "Run the backup again when that is done.",
      });
    }
    const row = this.#port.rows.get(account);
    if (row === undefined) return;
    const home = homeOf(this.#open(row.record), device);
    if (home.gateway === this.#port.gateway().id) return;
    throw new HoldfastError(ErrorCode.notHome, `backups of this device go to ${home.name}`, {
      detail: { record: row.record, home: home.name, urls: home.urls },
      next: "Agents go there by themselves.",
    });
  }

  /**
   * At the directory: moves the homes of an account (of `devices` alone, unless null) to a gateway.
   * @throws HoldfastError forbidden where another gateway is the directory; limit-exceeded
   */
  async move(account: string, devices: readonly string[] | null, home: Home): Promise<HomeRecord> {
    const now = this.homesteads(account);
    return await this.#putInForce(account, moved(now, devices, home));
  }

  /** At the directory: the homes of before the last move, under a new generation. @throws HoldfastError not-found, forbidden */
  async undo(account: string): Promise<HomeRecord> {
    const row = this.#port.rows.get(account);
    if (row === undefined) {
      throw new HoldfastError(ErrorCode.notFound, "the home of this account was never moved", {
        next: "`holdfast home show --data DIR` lists the homes.",
      });
    }
    const before = row.previous === null ? { home: this.here(), devices: [] } : this.#open(row.previous);
    return await this.#putInForce(account, before);
  }

  /**
   * At the directory: lends an account's devices (all for null) to a box. Its record is in force when this returns; `recall`, the next
   * generation, calls them back, and is in force nowhere until the box or this gateway says so.
   */
  async lend(
    account: string,
    devices: readonly string[] | null,
    box: Home,
  ): Promise<{ readonly record: Buffer; readonly recall: Buffer }> {
    const before = this.homesteads(account);
    const lent = await this.#putInForce(account, moved(before, devices, box));
    const recall = this.#sign(account, lent.generation + 1, returned(lent, box.gateway, this.here()));
    const row = this.#require(account);
    this.#port.rows.put(account, { ...row, handedOut: lent.generation + 1 });
    return { record: Buffer.from(row.record), recall };
  }

  /**
   * At the directory: what was lent to a gateway is at home here again; nothing happens where nothing is lent to it. Where `recall` is
   * still the next generation it comes into force as it is, so that agents which saw it already find the same.
   */
  async recalled(account: string, box: string, recall?: Uint8Array): Promise<void> {
    const now = this.homesteads(account);
    if (now.home.gateway !== box && now.devices.every(({ home }) => home.gateway !== box)) return;
    const told = recall === undefined ? undefined : this.#open(Buffer.from(recall).toString());
    const row = this.#require(account);
    if (
      told?.account === account &&
      told.generation === now.generation + 1 &&
      row.handedOut === told.generation
    ) {
      this.#port.rows.put(account, { ...row, previous: row.record, record: Buffer.from(recall!).toString() });
      return;
    }
    await this.#putInForce(account, returned(now, box, this.here()));
  }

  /**
   * At a gateway that follows another directory: its record comes into force.
   * @throws HoldfastError seal-invalid, corrupt; home-behind for an older one
   */
  async adopt(record: Uint8Array): Promise<HomeRecord> {
    const text = Buffer.from(record).toString();
    const opened = this.#open(text);
    const row = this.#port.rows.get(opened.account);
    const generation = row === undefined ? 0 : this.#open(row.record).generation;
    if (opened.generation < generation || (opened.generation === generation && row?.record !== text)) {
      throw new HoldfastError(
        ErrorCode.homeBehind,
        `home record ${opened.generation} is not newer than ${generation}, which is in force`,
      );
    }
    this.#port.rows.put(opened.account, {
      record: text,
      previous: row?.record ?? null,
      handedOut: Math.max(opened.generation, row?.handedOut ?? 0),
    });
    await this.#endLeases(opened.account);
    return opened;
  }

  /** @throws HoldfastError forbidden */
  requireDirectory(): void {
    if (this.isDirectory) return;
    throw new HoldfastError(ErrorCode.forbidden, "another gateway is the directory of homes", {
      next: "Move homes there.",
    });
  }

  async #putInForce(account: string, next: Homesteads): Promise<HomeRecord> {
    this.requireDirectory();
    const row = this.#port.rows.get(account);
    const generation = Math.max(row?.handedOut ?? 0, this.homesteads(account).generation) + 1;
    const record = this.#sign(account, generation, next);
    this.#port.rows.put(account, {
      record: record.toString(),
      previous: row?.record ?? null,
      handedOut: generation,
    });
    await this.#endLeases(account);
    return this.#open(record.toString());
  }

  /** Of devices that are not at home here any more. */
  async #endLeases(account: string): Promise<void> {
    await this.#port.endLeases(account, (device) => !this.isHere(account, device));
  }

  #sign(account: string, generation: number, { home, devices }: Homesteads): Buffer {
    const directory = { id: this.#port.gateway().id, signer: this.#key.publicKey };
    const time = this.#port.now().toISOString();
    try {
      return signHomeRecord({ account, generation, time, directory, home, devices }, this.#key);
    } catch (cause) {
      throw new HoldfastError(
        ErrorCode.limitExceeded,
        "too many devices of this account have homes of their own",
        {
          next: "Move the account as a whole.",
          cause,
        },
      );
    }
  }

  #open(record: string): HomeRecord {
    return openHomeRecord(Buffer.from(record), this.directory().signer);
  }

  #require(account: string): HomeRow {
    const row = this.#port.rows.get(account);
    if (row === undefined) throw new Error("an account without a home record");
    return row;
  }
}

/** `now` with these devices at another home. A home of their own that is the account's is none. */
function moved(now: Homesteads, devices: readonly string[] | null, home: Home): Homesteads {
  if (devices === null) return { home, devices: [] };
  const others = now.devices.filter(({ device }) => !devices.includes(device));
  if (home.gateway === now.home.gateway) return { home: now.home, devices: others };
  return { home: now.home, devices: [...others, ...devices.map((device) => ({ device, home }))] };
}

/** `now` with all that is at one gateway at another. */
function returned(now: Homesteads, from: string, to: Home): Homesteads {
  const home = now.home.gateway === from ? to : now.home;
  const rest = now.devices.filter((row) => row.home.gateway !== from && row.home.gateway !== home.gateway);
  const back = now.devices
    .filter((row) => row.home.gateway === from && home.gateway !== to.gateway)
    .map(({ device }) => ({ device, home: to }));
  return { home, devices: [...rest, ...back] };
}
