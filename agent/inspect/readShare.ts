// How much of the data a check reads: what `--read-data` says.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/**
 * The share of chunks to read for `--read-data`: a percentage ("5%"), or a size, taken as a share of `totalBytes`.
 * @throws HoldfastError usage
 */
export function readShareOf(text: string, totalBytes: number): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*(%|(?:[KMGT]i?)?B?)$/i.exec(text.trim()) ?? [];
  const value = Number(number);
  if (number === undefined || unit === undefined || (unit === "%" && value > 100)) {
    throw new HoldfastError(
      ErrorCode.usage,
      `--read-data takes a percentage or a size, not ${JSON.stringify(text)}`,
      {
        next: "For example: --read-data 5%, --read-data 2GiB.",
      },
    );
  }
  if (unit === "%") return value / 100;
  const power =
    unit === "" || unit.toUpperCase() === "B" ? 0 : "KMGT".indexOf(unit.charAt(0).toUpperCase()) + 1;
  return totalBytes === 0 ? 1 : Math.min(1, (value * 1024 ** power) / totalBytes);
}
