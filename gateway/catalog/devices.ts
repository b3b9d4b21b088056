// Devices: machines that may upload for an account. Names are unique within an account among devices that are not
// revoked; a revoked device stays, because its snapshots name it, until its account is removed with them.

import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { bytesCodec, jsonCodec, openTable, type Table } from "../index/table.ts";

export type Device = {
  /** 32 hex digits, chosen by the device. */
  readonly id: string;
  readonly account: string;
  readonly name: string;
  /** Deduplication group. */
  readonly group: number;
  /** Number of the device in chunk rows. */
  readonly ordinal: number;
  /** X25519, base64. */
  readonly publicKey: string;
  /** SHA-256 of its token, hex. */
  readonly tokenHash: string;
  /** The vault that its items are in. */
  readonly vault: string;
  readonly isolated: boolean;
  readonly revoked: boolean;
  /** It may add, and read nothing (docs/security.md). Absent for others. */
  readonly appendOnly?: true;
  /** Whose templates it follows (docs/schedules.md). Absent: none. */
  readonly fleet?: string;
  /** RFC 3339. */
  readonly enrolled: string;
};

/** Stands for a writer that the catalog does not know (any more). */
export const unknownWriter = 0xffff_ffff;

const counterKey = Buffer.from("devices");

export class Devices {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<Device>;
  readonly #names: Table<Uint8Array>;
  readonly #tokens: Table<Uint8Array>;
  readonly #counters: Table<number>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "devices", jsonCodec<Device>());
    this.#names = openTable(environment, "device-names", bytesCodec);
    this.#tokens = openTable(environment, "device-tokens", bytesCodec);
    this.#counters = openTable(environment, "counters", jsonCodec<number>());
  }

  get(id: string): Device | undefined {
    return this.#rows.get(fromHex(id, 16));
  }

  /** The device whose token hashes to `tokenHash` (32 bytes), revoked or not. */
  byToken(tokenHash: Uint8Array): Device | undefined {
    const id = this.#tokens.get(tokenHash);
    return id === undefined ? undefined : this.#rows.get(id);
  }

  /** The account's device of this name that is not revoked. */
  byName(account: string, name: string): Device | undefined {
    const id = this.#names.get(nameKey(account, name));
    return id === undefined ? undefined : this.#rows.get(id);
  }

  /** The device of a number in chunk rows, revoked or not. Looks at all of them: for reports, not for each record. */
  byOrdinal(ordinal: number): Device | undefined {
    return this.list().find((device) => device.ordinal === ordinal);
  }

  /** All devices of an account, or of the gateway. */
  list(account?: string): Device[] {
    const devices = this.#rows.entries().map(([, device]) => device);
    return account === undefined ? devices : devices.filter((device) => device.account === account);
  }

  /** Adds a device and gives it a number. @throws HoldfastError exists */
  add(device: Omit<Device, "ordinal">): Device {
    return this.#environment.write(() => {
      const id = fromHex(device.id, 16);
      const name = nameKey(device.account, device.name);
      if (this.#names.has(name)) throw nameTaken(device.name);
      if (this.#rows.has(id))
        throw new HoldfastError(ErrorCode.exists, "there is a device with this id already");
      const ordinal = this.#counters.get(counterKey) ?? 0;
      const row = { ...device, ordinal };
      this.#counters.put(counterKey, ordinal + 1);
      this.#rows.put(id, row);
      this.#names.put(name, id);
      this.#tokens.put(fromHex(device.tokenHash, 32), id);
      return row;
    });
  }

  /** Enters devices of a catalog that comes back from a replica, with the numbers that they had. @throws HoldfastError exists */
  restore(devices: readonly Device[]): void {
    this.#environment.write(() => {
      // Revoked ones first: their names may have been taken again.
      for (const device of devices.toSorted((a, b) => Number(b.revoked) - Number(a.revoked))) {
        this.#counters.put(counterKey, device.ordinal);
        const { ordinal } = this.add(device);
        if (ordinal !== device.ordinal) throw new Error("a device got another number than it had");
        if (device.revoked) this.revoke(device.id);
      }
      this.#counters.put(counterKey, Math.max(-1, ...devices.map(({ ordinal }) => ordinal)) + 1);
    });
  }

  /** Removes all devices of an account. Their numbers are not used again. Inside a write transaction. */
  removeOf(account: string): void {
    for (const { id, name, tokenHash } of this.list(account)) {
      this.#names.remove(nameKey(account, name));
      this.#tokens.remove(fromHex(tokenHash, 32));
      this.#rows.remove(fromHex(id, 16));
    }
  }

  /**
   * Gives a device to another machine: its key, token and `enrolled`; one that was revoked counts again. What else the row says stays.
   * @throws HoldfastError not-found; exists where its name was taken meanwhile
   */
  hand(id: string, to: Pick<Device, "publicKey" | "tokenHash" | "enrolled">): Device {
    return this.#environment.write(() => {
      const device = this.get(id);
      if (device === undefined) throw new HoldfastError(ErrorCode.notFound, "no such device");
      const named = this.byName(device.account, device.name);
      if (named !== undefined && named.id !== id) throw nameTaken(device.name);
      const handed = { ...device, ...to, revoked: false };
      this.#put(handed, device.tokenHash);
      this.#names.put(nameKey(device.account, device.name), fromHex(id, 16));
      return handed;
    });
  }

  /** Puts a device into a fleet; null: into none. */
  setFleet(id: string, fleet: string | null): Device {
    return this.#environment.write(() => {
      const known = this.get(id);
      if (known === undefined) throw new HoldfastError(ErrorCode.notFound, "no such device");
      const { fleet: _before, ...device } = known;
      const row = { ...device, ...(fleet !== null && { fleet }) };
      this.#rows.put(fromHex(id, 16), row);
      return row;
    });
  }

  /** Gives a device another token (SHA-256, hex) in the place of the one it had. Inside a write transaction. */
  replaceToken(device: Device, tokenHash: string): void {
    this.#put({ ...device, tokenHash }, device.tokenHash);
  }

  /** Puts a row in the place of one that had this token. */
  #put(device: Device, formerToken: string): void {
    const id = fromHex(device.id, 16);
    this.#tokens.remove(fromHex(formerToken, 32));
    this.#rows.put(id, device);
    this.#tokens.put(fromHex(device.tokenHash, 32), id);
  }

  /** Ends a device's token and frees its name. @throws HoldfastError not-found */
  revoke(id: string): Device {
    return this.#environment.write(() => {
      const key = fromHex(id, 16);
      const device = this.#rows.get(key);
      if (device === undefined) throw new HoldfastError(ErrorCode.notFound, "no such device");
      const revoked = { ...device, revoked: true };
      this.#rows.put(key, revoked);
      const name = nameKey(device.account, device.name);
      if (this.byName(device.account, device.name)?.id === id) this.#names.remove(name);
      return revoked;
    });
  }
}

/** What is said where a name is in use. */
export function nameTaken(name: string): HoldfastError {
  return new HoldfastError(ErrorCode.exists, `this account has a device ${name} already`, {
    next: "Choose another name with --device, revoke the old one, or go on with its history: --take-over.",
  });
}

function nameKey(account: string, name: string): Buffer {
  return Buffer.concat([fromHex(account, 16), Buffer.from(name.normalize("NFC"))]);
}
