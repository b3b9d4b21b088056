// How much an account may store: what its vaults hold, after deduplication and with what is in replicas alone, and what is on its way
// (docs/operations.md).
//
// Invariants
// - What is declared counts from before it is stored, in the same turn of the event loop in which it is compared: so uploads side by side
//   do not pass the quota together.
// - Nothing is read for an account without a quota; for one with a quota, counters that the vaults keep.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Account } from "../catalog/accounts.ts";
import type { Gateway } from "../gateway.ts";

export const quotaAlert = "quota";
const nearShare = 0.9;

/** Bytes of the packs of all vaults of an account. */
export async function storedBytesOf(gateway: Gateway, account: string): Promise<number> {
  const vaults = await gateway.vaultsOf(account);
  return vaults.reduce((sum, { store }) => sum + store.storedBytes(), 0);
}

export class AccountQuotas {
  readonly #gateway: Gateway;
  /** Bytes that are on their way, by account. */
  readonly #coming = new Map<string, number>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /**
   * Sets room aside for bytes that are to be stored; the answer gives it back, when they are stored or not.
   * @throws HoldfastError quota-exceeded
   */
  async take({ id, name, quota }: Account, bytes: number): Promise<() => void> {
    const most = quota?.bytes ?? null;
    if (most === null) return () => undefined;
    const storedBytes = await storedBytesOf(this.#gateway, id);
    const coming = this.#coming.get(id) ?? 0;
    const usedBytes = storedBytes + coming;
    this.#tell(name, usedBytes + bytes, most);
    if (usedBytes + bytes > most) throw bytesExceeded(name, usedBytes, most);
    this.#coming.set(id, coming + bytes);
    return () => {
      const left = (this.#coming.get(id) ?? 0) - bytes;
      if (left > 0) this.#coming.set(id, left);
      else this.#coming.delete(id);
    };
  }

  /** An alert from nine tenths on; it is over below that. */
  #tell(subject: string, usedBytes: number, quotaBytes: number): void {
    const { alerts, logger } = this.#gateway;
    const isNear = usedBytes > quotaBytes * nearShare;
    if (isNear === alerts.isOpen(quotaAlert, subject)) return;
    try {
      if (!isNear) return void alerts.resolve(quotaAlert, subject);
      alerts.raise({
        ...{ kind: quotaAlert, severity: "warning", subject, figures: { usedBytes, quotaBytes } },
        message:
          "The account's quota is nearly used up; then its backups are refused. See `holdfast account quota`.",
      });
    } catch (error) {
      logger.warn({ err: error }, "an alert could not be noted");
    }
  }
}

function bytesExceeded(account: string, usedBytes: number, quotaBytes: number): HoldfastError {
  return new HoldfastError(
    ErrorCode.quotaExceeded,
    `account ${account} may store ${quotaBytes} bytes, and has ${usedBytes}`,
    {
      detail: { quotaBytes, usedBytes },
      next: "Ask whoever runs the gateway for more (`holdfast account quota`), then run this again: what was uploaded counts.",
    },
  );
}

/** Whether an account may have one more device. @throws HoldfastError quota-exceeded */
export function requireDeviceRoom({ catalog }: Gateway, { id, name, quota }: Account): void {
  const most = quota?.devices ?? null;
  const devices = most === null ? 0 : catalog.devices.list(id).filter(({ revoked }) => !revoked).length;
  if (most === null || devices < most) return;
  throw new HoldfastError(
    ErrorCode.quotaExceeded,
    `account ${name} may have ${most} devices, and has ${devices}`,
    {
      detail: { quotaDevices: most, devices },
      next: `Revoke one that is not needed any more (\`holdfast device revoke ${name}/DEVICE\`), or ask whoever runs the gateway for more.`,
    },
  );
}
