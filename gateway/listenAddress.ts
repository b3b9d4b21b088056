// The address of a listener.

import { ErrorCode, HoldfastError } from "../vault/errors.ts";

/** Splits HOST:PORT ([HOST]:PORT for IPv6). @throws HoldfastError usage */
export function parseListen(listen: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):([0-9]{1,5})$/.exec(listen);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || !(port <= 65_535)) {
    throw new HoldfastError(ErrorCode.usage, `listen: not HOST:PORT: ${listen}`);
  }
  return { host, port };
}
