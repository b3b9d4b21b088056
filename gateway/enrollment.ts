// Taking in a device: its wraps go into the keys documents, it gets a group, a number and a token.

import type { EnrollAnswer, EnrollRequest } from "../ingest/wire/messages.ts";
import { checkName } from "../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { addDeviceWrap } from "../vault/keys/keysDocument.ts";
import { issueToken } from "./auth/tokens.ts";
import { type Account, sharedGroup } from "./catalog/accounts.ts";
import { nameTaken } from "./catalog/devices.ts";
import { followFleets } from "./fleets.ts";
import type { Gateway } from "./gateway.ts";
import { requireDeviceRoom } from "./quota/accountQuotas.ts";
import { keysMovedOn } from "./vaultDocuments.ts";

/**
 * Enrols a device for an account. Its home is the account's oldest vault among those it brings a wrap for.
 * @throws HoldfastError exists, usage, quota-exceeded, not-found (a vault that is not the account's), sequence-conflict (wrap again)
 */
export function enrollDevice(
  gateway: Gateway,
  account: Account,
  request: EnrollRequest,
): Promise<EnrollAnswer> {
  // Nothing looks at the account's wraps and devices between the one and the other.
  return gateway.keysTurns.run(account.id, () => enrollInTurn(gateway, account, request));
}

/** As `enrollDevice`, inside a turn of the account's keys. `counts` is called in the transaction in which the device begins to count. */
export async function enrollInTurn(
  gateway: Gateway,
  account: Account,
  request: EnrollRequest & { readonly fleet?: string | undefined },
  counts: () => void = () => undefined,
): Promise<EnrollAnswer> {
  const { catalog } = gateway;
  const name = checkName(request.name, "device");
  if (
    catalog.devices.byName(account.id, name) !== undefined ||
    catalog.devices.get(request.id) !== undefined
  ) {
    throw nameTaken(name);
  }
  requireDeviceRoom(gateway, account);
  const home = await addWraps(gateway, account, request);
  const { token, hash } = issueToken("device");
  // In a group that others share, `have` would tell it what they have.
  const isolated = request.isolated || request.appendOnly === true;
  const device = catalog.write(() => {
    counts();
    let group = sharedGroup;
    if (isolated) {
      catalog.accounts.update(account.id, (row) => {
        group = row.nextGroup;
        return { ...row, nextGroup: row.nextGroup + 1 };
      });
    }
    return catalog.devices.add({
      id: request.id,
      account: account.id,
      name,
      group,
      publicKey: request.publicKey,
      tokenHash: hash.toString("hex"),
      vault: home,
      isolated,
      revoked: false,
      ...(request.appendOnly === true && { appendOnly: true }),
      ...(request.fleet !== undefined && { fleet: request.fleet }),
      enrolled: gateway.now().toISOString(),
    });
  });
  if (device.fleet !== undefined) followFleets(gateway, await gateway.vault(home));
  return { id: device.id, token, group: device.group, vault: home };
}

/**
 * Puts a device's wraps into the keys documents. Inside a turn of the account's keys.
 * @returns the account's oldest vault among those with a wrap
 * @throws HoldfastError not-found, usage (no wrap), sequence-conflict
 */
export async function addWraps(
  gateway: Gateway,
  account: Account,
  { id, publicKey, wraps: given }: Pick<EnrollRequest, "id" | "publicKey" | "wraps">,
): Promise<string> {
  const { catalog } = gateway;
  const own = catalog.vaults.list(account.id);
  const wraps = Object.entries(given);
  if (wraps.some(([vault]) => !own.some((row) => row.id === vault))) {
    throw new HoldfastError(ErrorCode.notFound, "no such vault");
  }
  const home = own.find((row) => Object.hasOwn(given, row.id));
  if (home === undefined)
    throw new HoldfastError(ErrorCode.usage, "a device needs a wrap for at least one vault");
  for (const [vaultId, wrap] of wraps) {
    const vault = await gateway.vault(vaultId);
    const document = await vault.replaceKeys((keys) => {
      if (keys.generation !== wrap.generation) throw keysMovedOn(keys.generation);
      return addDeviceWrap(keys, {
        kind: "device",
        device: id,
        public: publicKey,
        box: wrap.box,
        ...(wrap.proof !== undefined && { proof: wrap.proof }),
      });
    });
    catalog.vaults.setKeysGeneration(vaultId, document.generation);
  }
  return home.id;
}
