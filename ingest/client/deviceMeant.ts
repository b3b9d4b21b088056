// Which device a person means whose history is to go on: one that is active under this name, else the one that was revoked, else the one of this id.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { DeviceRow } from "../wire/messages.ts";

/** @throws HoldfastError not-found; usage where several revoked ones had the name */
export function deviceMeant<Row extends Pick<DeviceRow, "id" | "name" | "revoked">>(
  devices: readonly Row[],
  written: string,
): Row {
  const named = devices.filter(({ name, id }) => name === written.normalize("NFC") || id === written);
  const active = named.filter(({ revoked }) => !revoked);
  const meant = active.length > 0 ? active : named;
  if (meant.length > 1) {
    throw new HoldfastError(ErrorCode.usage, `${meant.length} revoked devices were called ${written}`, {
      next: `Give the id of the one that is meant (\`holdfast device list\`): ${meant.map(({ id }) => id).join(", ")}.`,
    });
  }
  if (meant[0] !== undefined) return meant[0];
  throw new HoldfastError(ErrorCode.notFound, `the account has no device ${written}`, {
    next: "`holdfast device list` on the gateway shows which there are.",
  });
}
