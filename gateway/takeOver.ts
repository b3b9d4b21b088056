// A new machine goes on with a device's history: the device keeps its id, name, group, vault, items, definitions and snapshots, and gets another key and
// token, so the machine that had it is out (docs/security.md, "Taking over").
//
// Invariants
// - The order: wraps for the new key, each in the place of the old one; then key and token in one transaction, from which on the old token is none; then
//   the old machine's uploads end. Stopped in between, the same request again finishes it.
// - It happens in a turn of the account's keys.

import type { EnrollAnswer, EnrollRequest } from "../ingest/wire/messages.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { requireNoBox } from "./admin/requestChecks.ts";
import { issueToken } from "./auth/tokens.ts";
import type { Account } from "./catalog/accounts.ts";
import { type Device, nameTaken } from "./catalog/devices.ts";
import { addWraps } from "./enrollment.ts";
import type { Gateway } from "./gateway.ts";
import { requireDeviceRoom } from "./quota/accountQuotas.ts";

export type TakeOver = Pick<EnrollRequest, "id" | "publicKey" | "wraps">;

/** @throws HoldfastError not-found, usage, exists, quota-exceeded, sequence-conflict; forbidden while a box has the account; not-home */
export function takeOverDevice(gateway: Gateway, account: Account, request: TakeOver): Promise<EnrollAnswer> {
  return gateway.keysTurns.run(account.id, () => takeOverInTurn(gateway, account, request));
}

/** The device as it may be taken over now. @throws HoldfastError as takeOverDevice */
export function requireTakeOver(gateway: Gateway, account: Account, id: string): Device {
  const { catalog, dataDir, homes } = gateway;
  requireNoBox(dataDir, "which knows the account's devices", "Take the device over there.");
  const device = catalog.devices.get(id);
  if (device === undefined || device.account !== account.id) {
    throw new HoldfastError(ErrorCode.notFound, "no such device", {
      next: "`holdfast device list` on the gateway shows which there are.",
    });
  }
  homes.requireHere(account.id, id);
  // What it brings names the device with the token that it knows.
  const box = catalog.boxes.outWith(account.id, "seed");
  if (box !== undefined) {
    throw new HoldfastError(ErrorCode.forbidden, `box ${box.number} has account ${account.name} on board`, {
      next: "Enrol the machine under another name, or take over when the box was imported.",
    });
  }
  const named = catalog.devices.byName(account.id, device.name);
  if (named !== undefined && named.id !== id) throw nameTaken(device.name);
  return device;
}

/** As `takeOverDevice`, inside a turn. `counts` is called in the transaction in which the new machine begins to count. */
export async function takeOverInTurn(
  gateway: Gateway,
  account: Account,
  request: TakeOver,
  counts: () => void = () => undefined,
): Promise<EnrollAnswer> {
  const { catalog } = gateway;
  const former = requireTakeOver(gateway, account, request.id);
  if (former.revoked) requireDeviceRoom(gateway, account);
  if (request.wraps[former.vault] === undefined) {
    throw new HoldfastError(ErrorCode.usage, "the device needs a wrap for the vault that its items are in");
  }
  await addWraps(gateway, account, request);
  const { token, hash } = issueToken("device");
  const enrolled = gateway.now().toISOString();
  const { id, group, vault } = catalog.write(() => {
    counts();
    return catalog.devices.hand(request.id, {
      ...{ publicKey: request.publicKey, tokenHash: hash.toString("hex"), enrolled },
    });
  });
  for (const each of await gateway.vaultsOf(account.id)) each.catalog.leases.endOf([id]);
  return { id, token, group, vault };
}
