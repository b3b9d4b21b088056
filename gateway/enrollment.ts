// Taking in a device: its wraps go into the keys documents, it gets a group, a number and a token.

import type { EnrollAnswer, EnrollRequest } from "../ingest/wire/messages.ts";
import { checkName } from "../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { addDeviceWrap } from "../vault/keys/keysDocument.ts";
import { issueToken } from "./auth/tokens.ts";
import { type Account, sharedGroup } from "./catalog/accounts.ts";
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
  return gateway.keysTurns.run(account.id, () => enroll(gateway, account, request));
}

async function enroll(gateway: Gateway, account: Account, request: EnrollRequest): Promise<EnrollAnswer> {
  const { catalog } = gateway;
  const name = checkName(request.name, "device");
  if (
    catalog.devices.byName(account.id, name) !== undefined ||
    catalog.devices.get(request.id) !== undefined
  ) {
    throw new HoldfastError(ErrorCode.exists, `this account has a device ${name} already`, {
      next: "Choose another name with --device, or revoke the old one.",
    });
  }
  requireDeviceRoom(gateway, account);
  const own = catalog.vaults.list(account.id);
  const wraps = Object.entries(request.wraps);
  if (wraps.some(([vault]) => !own.some((row) => row.id === vault))) {
    throw new HoldfastError(ErrorCode.notFound, "no such vault");
  }
  const home = own.find((row) => Object.hasOwn(request.wraps, row.id));
  if (home === undefined)
    throw new HoldfastError(ErrorCode.usage, "a device needs a wrap for at least one vault");
  for (const [vaultId, wrap] of wraps) {
    const vault = await gateway.vault(vaultId);
    const document = await vault.replaceKeys((keys) => {
      if (keys.generation !== wrap.generation) throw keysMovedOn(keys.generation);
      return addDeviceWrap(keys, {
        kind: "device",
        device: request.id,
        public: request.publicKey,
        box: wrap.box,
        ...(wrap.proof !== undefined && { proof: wrap.proof }),
      });
    });
    catalog.vaults.setKeysGeneration(vaultId, document.generation);
  }
  const { token, hash } = issueToken("device");
  // In a group that others share, `have` would tell it what they have.
  const isolated = request.isolated || request.appendOnly === true;
  const device = catalog.write(() => {
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
      vault: home.id,
      isolated,
      revoked: false,
      ...(request.appendOnly === true && { appendOnly: true }),
      enrolled: gateway.now().toISOString(),
    });
  });
  return { id: device.id, token, group: device.group, vault: home.id };
}
