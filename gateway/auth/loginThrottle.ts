// Slows guessing of passwords down.
//
// Invariants
// - Failures count for the pair of account and source address, and for the source address alone: what a stranger does at
//   his address never delays an account's owner at another one.
// - A pair waits 2 s after its 5th failure in a row, then twice as long each time, at most 15 minutes. An address with 20
//   failures over all accounts waits in the same way. A success clears the pair, not the address.
// - At most `sourcesMax` pairs and addresses are remembered; the least recently used are forgotten first.
// - Time comes from a clock that does not jump.

import { isIPv6 } from "node:net";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

type Strikes = { failures: number; blockedUntil: number; inFlight: number };

const pairFree = 5;
const addressFree = 20;
const delayFirstMs = 2000;
const delayMaxMs = 15 * 60_000;
const sourcesMax = 10_000;
/** Logins of one address that are being checked at a time. */
const inFlightMax = 4;

/** Attempts since the start; they only grow. */
export type LoginCounts = { succeeded: number; failed: number; throttled: number };

export class LoginThrottle {
  readonly counts: LoginCounts = { succeeded: 0, failed: 0, throttled: 0 };
  readonly #strikes = new Map<string, Strikes>();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs;
  }

  /**
   * Runs one login attempt. `attempt` answers whether the password was right.
   * @throws HoldfastError auth-throttled with detail.retryAfterSeconds
   */
  async run(account: string, address: string, attempt: () => Promise<boolean>): Promise<boolean> {
    const source = networkOf(address);
    const byAddress = this.#entry(`address ${source}`);
    const byPair = this.#entry(`pair ${source} ${account}`);
    this.#refuse(byAddress);
    this.#refuse(byPair);
    if (byAddress.inFlight >= inFlightMax) throw this.#throttled(1000);
    byAddress.inFlight++;
    try {
      const right = await attempt();
      this.counts[right ? "succeeded" : "failed"]++;
      if (right) {
        byPair.failures = 0;
        byPair.blockedUntil = 0;
      } else {
        this.#strike(byPair, pairFree);
        this.#strike(byAddress, addressFree);
      }
      return right;
    } finally {
      byAddress.inFlight--;
    }
  }

  /**
   * Counts a failure where finding out cost nothing worth protecting.
   * @throws HoldfastError auth-throttled where the source has to wait; the failure then does not count
   */
  failed(account: string, address: string): void {
    const source = networkOf(address);
    const strikes = [this.#entry(`address ${source}`), this.#entry(`pair ${source} ${account}`)] as const;
    for (const each of strikes) this.#refuse(each);
    this.counts.failed++;
    this.#strike(strikes[0], addressFree);
    this.#strike(strikes[1], pairFree);
  }

  /** Clears the pair. */
  succeeded(account: string, address: string): void {
    this.counts.succeeded++;
    const pair = this.#strikes.get(`pair ${networkOf(address)} ${account}`);
    if (pair === undefined) return;
    pair.failures = 0;
    pair.blockedUntil = 0;
  }

  #refuse(strikes: Strikes): void {
    const left = strikes.blockedUntil - this.#monotonicMs();
    if (left > 0) throw this.#throttled(left);
  }

  #throttled(milliseconds: number): HoldfastError {
    this.counts.throttled++;
    return throttled(milliseconds);
  }

  #strike(strikes: Strikes, free: number): void {
    strikes.failures++;
    if (strikes.failures < free) return;
    const delay = Math.min(delayMaxMs, delayFirstMs * 2 ** Math.min(20, strikes.failures - free));
    strikes.blockedUntil = this.#monotonicMs() + delay;
  }

  #entry(key: string): Strikes {
    const strikes = this.#strikes.get(key) ?? { failures: 0, blockedUntil: 0, inFlight: 0 };
    this.#strikes.delete(key);
    this.#strikes.set(key, strikes);
    for (const oldest of this.#strikes.keys()) {
      if (this.#strikes.size <= sourcesMax) break;
      this.#strikes.delete(oldest);
    }
    return strikes;
  }
}

function throttled(milliseconds: number): HoldfastError {
  const seconds = Math.ceil(milliseconds / 1000);
  return new HoldfastError(ErrorCode.authThrottled, `too many failed logins; try again in ${seconds} s`, {
    detail: { retryAfterSeconds: seconds },
  });
}

/** Who counts as one source: an IPv4 address, or the /64 network of an IPv6 one. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.split("%")[0]!.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const last = tail === "" ? [] : tail.split(":");
    while (groups.length + last.length < 8) groups.push("0");
    groups.push(...last);
  }
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
