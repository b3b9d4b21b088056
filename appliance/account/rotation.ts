// New keys for vaults, made on their owner's side (docs/format.md section 4, "Rotation").

import type { NewKeys, RotatedKeys } from "../../gateway/admin/keysOperations.ts";
import type { AdminOperations, VaultRow } from "../../gateway/admin/operations.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { KeysDocument, KeysWrap } from "../../vault/keys/keysTypes.ts";
import { rotateKeys } from "../../vault/keys/rotation.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { shellWord } from "../shellWord.ts";
import { provePassword, secretsRequest } from "./ownerKeys.ts";

export type RotatedVault = RotatedKeys & Pick<VaultRow, "id" | "name">;

type Operations = Pick<AdminOperations, "devices" | "keys" | "keysDocuments" | "vaults">;

/** A device may be enrolled, or revoked, between reading and rotating; more often in a row is not chance. */
const triesMax = 4;

/** The vaults of an account, or the one of this name. @throws HoldfastError not-found */
export async function vaultsNamed(
  operations: Pick<AdminOperations, "vaults">,
  account: string,
  name?: string,
): Promise<VaultRow[]> {
  const all = await operations.vaults(account);
  const meant = name === undefined ? all : all.filter((row) => row.name === name);
  if (meant.length > 0) return meant;
  throw new HoldfastError(
    ErrorCode.notFound,
    `account ${account} has no vault${name === undefined ? "" : ` ${name}`}`,
    { next: `It has: ${all.map((row) => row.name).join(", ")}.` },
  );
}

export type RotationOptions = {
  readonly password: string;
  /** Public half (base64) of an escrow key that gets nothing of it. */
  readonly withoutEscrow?: string | undefined;
  /** Whoever has a wrap gets the new keys, whether or not it is proven that somebody who had the old ones made it. */
  readonly acceptUnproven: boolean;
};

/**
 * Gives a vault a new key epoch.
 * @throws HoldfastError key-wrong (also for a wrap without a proof), kdf-weak, limit-exceeded, not-found, forbidden, disk-full, sequence-conflict
 */
export async function rotateVault(
  operations: Operations,
  account: string,
  { id, name }: Pick<VaultRow, "id" | "name">,
  options: RotationOptions,
): Promise<RotatedVault> {
  const { withoutEscrow } = options;
  for (let tries = 1; ; tries++) {
    const request = await newKeys(operations, account, id, options);
    try {
      const rotated =
        withoutEscrow === undefined
          ? await operations.keys.rotate(id, request)
          : await operations.keys.removeEscrow(id, withoutEscrow, request);
      return { id, name, ...rotated };
    } catch (error) {
      if (tries === triesMax || !isHoldfastError(error, ErrorCode.sequenceConflict)) throw error;
    }
  }
}

async function newKeys(
  operations: Operations,
  account: string,
  vault: string,
  { password, withoutEscrow, acceptUnproven }: RotationOptions,
): Promise<NewKeys> {
  const document = documentOf(await operations.keysDocuments(account), vault);
  const active = new Map(
    (await operations.devices(account)).filter(({ revoked }) => !revoked).map(({ id, name }) => [id, name]),
  );
  const { r } = await provePassword(document, password);
  const made = rotateKeys(document, r, (wrap, proven) => {
    if (wrap.kind === "device" && !active.has(wrap.device)) return false;
    if (wrap.kind === "escrow" && wrap.public === withoutEscrow) return false;
    if (!proven && !acceptUnproven) throw unproven(wrap, active);
    return true;
  });
  r.fill(0);
  made.e.fill(0);
  // Asked last: keys go only to a gateway that holds this vault's already.
  const unlocked = (await operations.vaults(account)).some((row) => row.id === vault && row.unlocked);
  return { keysDocument: made.document, ...(unlocked && { secrets: secretsRequest(made.secrets) }) };
}

function unproven(wrap: KeysWrap, devices: ReadonlyMap<string, string>): HoldfastError {
  const holders = {
    password: "the password",
    recovery: "the recovery key",
    device: `device ${wrap.kind === "device" ? devices.get(wrap.device) : ""}`,
    escrow: `the escrow key ${wrap.kind === "escrow" ? wrap.label : ""}`,
  };
  return new HoldfastError(
    ErrorCode.keyWrong,
    `it is not proven that somebody who had the keys gave them to ${holders[wrap.kind]}: it may be a stranger's`,
    {
      next: "Revoke or remove what you do not know. Versions before rotations gave no proof: --accept-unproven takes everybody who has a place in the keys document.",
    },
  );
}

/** The keys document of a vault. @throws HoldfastError not-found */
export function documentOf(documents: readonly KeysDocument[], vault: string): KeysDocument {
  const document = documents.find((each) => each.vault === vault);
  if (document !== undefined) return document;
  throw new HoldfastError(ErrorCode.notFound, "the vault has no keys document");
}

/** Says of each vault what came of it. */
export function reportRotation(
  { output }: CommandContext,
  account: string,
  { id, name, ...rotated }: RotatedVault,
): void {
  const { epoch, devices, escrows, unlocked } = rotated;
  const who = devices.length === 0 ? "no device" : devices.join(", ");
  output.line(`Vault ${account}/${name} has new keys (epoch ${epoch}), for ${who}.`);
  if (escrows.length > 0) output.line(`Escrow keys open them too: ${escrows.join(", ")}.`);
  if (unlocked === "renewed") output.line("It stays unlocked.");
  if (unlocked === "locked")
    output.line("It was locked: unlock it again to see snapshots that come from now on.");
  output.event({ event: "vault", account, vault: name, id, ...rotated });
}

/** Says how many invites the new keys ended, by which somebody may still wait to enrol. */
export async function tellEndedInvites(
  { invites }: Pick<AdminOperations, "invites">,
  account: string,
  { output }: CommandContext,
): Promise<void> {
  const ended = (await invites.list(account)).filter(({ state }) => state === "rotated").length;
  if (ended === 0) return;
  output.line(
    `${formatCount(ended, "invite")} of before the new keys can no longer be used: make new ones (holdfast account invite ${shellWord(account)}).`,
  );
}
