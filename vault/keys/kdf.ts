// From a password to L (logs in) and R (wraps keys): KDF suite 1 of docs/format.md section 4.
import { pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { KdfSuite } from "../magic.ts";

/** What the server tells a client before login; the client does not trust it below its floor. */
export type KdfParameters = { readonly suite: 1; readonly iterations: number; readonly salt: Uint8Array };

export const kdfSaltBytes = 32;
/** Length of L and of R, each. */
export const loginKeyBytes = 24;

const pbkdf2Async = promisify(pbkdf2);

/**
 * L and R, 24 bytes each. `iterationsMin` raises the floor of 210,000 (to the number pinned at enrolment); it cannot lower it.
 * @throws HoldfastError kdf-weak below the floor; unsupported for another suite; limit-exceeded above 50,000,000; corrupt for a salt
 * that has not 32 bytes; usage for a password that is not well-formed Unicode
 */
export async function deriveLogin(
  password: string,
  kdf: KdfParameters,
  options: { readonly iterationsMin?: number } = {},
): Promise<{ l: Buffer; r: Buffer }> {
  const { suite, iterations, salt } = kdf;
  if (suite !== KdfSuite.pbkdf2HmacSha512) {
    throw new HoldfastError(ErrorCode.unsupported, `KDF suite ${suite} is not known to this program`);
  }
  const floor = Math.max(limits.kdfIterationsMin, options.iterationsMin ?? 0);
  if (!Number.isSafeInteger(iterations) || iterations < floor) {
    throw new HoldfastError(
      ErrorCode.kdfWeak,
      `${iterations} KDF iterations are below the floor of ${floor}`,
      {
        next: "Do not log in: the server, or someone between, asks for a weaker key derivation than was agreed.",
        detail: { floor },
      },
    );
  }
  if (iterations > limits.kdfIterationsMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `${iterations} KDF iterations are over the limit`);
  }
  if (salt.length !== kdfSaltBytes) {
    throw new HoldfastError(ErrorCode.corrupt, `KDF salt has ${salt.length} bytes, not ${kdfSaltBytes}`);
  }
  // A lone surrogate would silently become U+FFFD, and different passwords the same key.
  if (!password.isWellFormed()) throw new HoldfastError(ErrorCode.usage, "the password is not valid Unicode");
  const secret = Buffer.from(password.normalize("NFC"), "utf8");
  const okm = await pbkdf2Async(secret, salt, iterations, 2 * loginKeyBytes, "sha512");
  secret.fill(0);
  return { l: okm.subarray(0, loginKeyBytes), r: okm.subarray(loginKeyBytes) };
}
