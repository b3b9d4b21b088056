// Enrolling by an invite, in two steps: a device claims it, and gets E in a box that only the invite's file opens; then it enrols with the wraps that it
// made of it (docs/security.md, "Invites").
//
// Invariants
// - The claim is durable before anything is given to who made it; nobody else can claim the invite from then on. Its maker may ask again, and only with
//   what it chose for that.
// - The device, and that its invite is used, count in one transaction.
// - Both steps happen in a turn of the account's keys: no rotation comes between what is compared and what is given.

import { hash, timingSafeEqual } from "node:crypto";
import type {
  ClaimAnswer,
  ClaimRequest,
  EnrollAnswer,
  InvitedEnrollRequest,
} from "../ingest/wire/messages.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { issueToken } from "./auth/tokens.ts";
import type { Account } from "./catalog/accounts.ts";
import { type InviteClaim, type InviteRow, type InviteState, inviteState } from "./catalog/invites.ts";
import { enrollInTurn } from "./enrollment.ts";
import type { Gateway } from "./gateway.ts";
import { takeOverInTurn } from "./takeOver.ts";

/** An invite that a request shows the token of. */
export type Invited = { readonly account: Account; readonly tokenHash: Buffer };

function notGood(why: string, detail: { readonly invite: string }): HoldfastError {
  return new HoldfastError(ErrorCode.tokenInvalid, `this invite ${why}`, {
    next: "Ask whoever made it for a new one: holdfast account invite.",
    detail,
  });
}

/** Why an invite is of no use to who shows it now; undefined: it is. `claim`: base64. */
function refusal(gateway: Gateway, row: InviteRow, claim: string): string | undefined {
  const state: InviteState = inviteState(row, gateway.now());
  const isOwn = row.claim !== undefined && isClaim(row.claim, claim);
  switch (state) {
    case "open":
      return undefined;
    case "claimed":
      return isOwn
        ? undefined
        : `is being used by another machine, since ${row.claim?.at}. If that is none of yours, have it revoked, and new keys made`;
    case "used": {
      const device = gateway.catalog.devices.get(row.claim?.device ?? "");
      if (!isOwn) return `was used by device ${device?.name ?? "?"}, at ${row.used}`;
      if (Date.parse(row.expires) <= gateway.now().getTime())
        return `was used, and was good until ${row.expires}`;
      if (device?.publicKey !== row.claim?.publicKey) return "was used, and its device was taken over since";
      return device?.revoked === false ? undefined : "was used, and its device was revoked";
    }
    case "revoked":
      return `was revoked at ${row.revoked}`;
    case "expired":
      return `was good until ${row.expires}`;
  }
}

function isClaim({ hash: known }: InviteClaim, claim: string): boolean {
  return timingSafeEqual(Buffer.from(known, "hex"), claimHash(claim));
}

function claimHash(claim: string): Buffer {
  return hash("sha256", Buffer.from(claim, "base64"), "buffer");
}

/** The row as it is now, for who shows its token and `claim`. @throws HoldfastError token-invalid */
function demand(gateway: Gateway, { tokenHash }: Invited, claim: string): InviteRow {
  const row = gateway.catalog.invites.byToken(tokenHash);
  if (row === undefined) throw new HoldfastError(ErrorCode.tokenInvalid, "there is no such invite");
  const why = refusal(gateway, row, claim);
  if (why !== undefined) throw notGood(why, { invite: row.id });
  return row;
}

/**
 * Claims an invite for a device, and gives it what its keys are made from; the same again where it claimed it before.
 * @throws HoldfastError token-invalid: used, claimed by another, revoked, expired, or of keys that were rotated; exists
 */
export function claimInvite(gateway: Gateway, invited: Invited, request: ClaimRequest): Promise<ClaimAnswer> {
  const { account } = invited;
  return gateway.keysTurns.run(account.id, async () => {
    const { catalog } = gateway;
    const before = demand(gateway, invited, request.claim);
    const vaults = await Promise.all(
      Object.entries(before.boxes).map(async ([id, { epoch, box }]) => {
        const { keys } = await gateway.vault(id);
        if (keys.epoch !== epoch)
          throw notGood("is of before the account's keys were rotated", { invite: before.id });
        // It needs the ring; the wraps are none of its business yet.
        return { id, box, keys: { ...keys, wraps: [] } };
      }),
    );
    const row = catalog.write(() => {
      const now = demand(gateway, invited, request.claim);
      if (now.claim !== undefined) return now;
      const isKnown = catalog.devices.get(request.device) !== undefined;
      if (now.takeOver === undefined ? isKnown : request.device !== now.takeOver)
        throw new HoldfastError(ErrorCode.usage, "this invite is for a device of another id");
      const { device, publicKey } = request;
      const at = gateway.now().toISOString();
      const claimed = {
        ...now,
        claim: { device, publicKey, hash: claimHash(request.claim).toString("hex"), at },
      };
      catalog.invites.put(claimed);
      return claimed;
    });
    const { takeOver = null } = row;
    // As they are, for one whose history goes on.
    const { isolated, appendOnly = false } = (takeOver && catalog.devices.get(takeOver)) || row;
    const { device, used } = row;
    const enrolled = used !== undefined;
    return { account: account.name, isolated, appendOnly, device, takeOver, enrolled, vaults };
  });
}

/**
 * Enrols the device that claimed an invite. Where it was enrolled already, and did not hear of it, it gets another token.
 * @throws HoldfastError token-invalid as claimInvite; otherwise as enrollDevice
 */
export function enrollInvited(
  gateway: Gateway,
  invited: Invited,
  request: InvitedEnrollRequest,
): Promise<{ readonly answer: EnrollAnswer; readonly row: InviteRow; readonly again: boolean }> {
  const { account } = invited;
  return gateway.keysTurns.run(account.id, async () => {
    const { catalog } = gateway;
    const row = demand(gateway, invited, request.claim);
    if (row.claim === undefined) throw new HoldfastError(ErrorCode.usage, "this invite is not claimed yet");
    if (row.used !== undefined) return { answer: tokenAgain(gateway, row.claim), row, again: true };
    if (Object.keys(request.wraps).some((vault) => row.boxes[vault] === undefined)) {
      throw new HoldfastError(ErrorCode.notFound, "no such vault");
    }
    const { device: id, publicKey } = row.claim;
    const { isolated, appendOnly } = row;
    const { name, wraps } = request;
    const counts = (): void => {
      // It may have been revoked, or have run out, while the wraps were written: they open nothing without a device.
      const now = demand(gateway, invited, request.claim);
      catalog.invites.put({ ...now, used: gateway.now().toISOString(), boxes: {} });
    };
    const device = { id, publicKey, wraps };
    const answer =
      row.takeOver === undefined
        ? await enrollInTurn(
            gateway,
            account,
            {
              ...device,
              name: row.device ?? name,
              fleet: row.fleet,
              isolated,
              ...(appendOnly && { appendOnly }),
            },
            counts,
          )
        : await takeOverInTurn(gateway, account, device, counts);
    return { answer, row, again: false };
  });
}

function tokenAgain({ catalog }: Gateway, claim: InviteClaim): EnrollAnswer {
  const device = catalog.devices.get(claim.device)!;
  const { token, hash: tokenHash } = issueToken("device");
  catalog.write(() => catalog.devices.replaceToken(device, tokenHash.toString("hex")));
  return { id: device.id, token, group: device.group, vault: device.vault };
}
