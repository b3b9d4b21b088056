// Invites on their owner's side: secrets, boxes of E and files. What the gateway gets opens nothing.

import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MadeInvites, NewInvite, NewInvites } from "../../gateway/admin/inviteOperations.ts";
import type { AdminOperations } from "../../gateway/admin/operations.ts";
import { tokenHash } from "../../gateway/auth/tokens.ts";
import { deviceMeant } from "../../ingest/client/deviceMeant.ts";
import { formatInviteFile, type InviteFile } from "../../ingest/client/inviteFile.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { inviteIdBytes, inviteSecretBytes, inviteToken, sealInviteBox } from "../../vault/keys/invite.ts";
import { openWithPassword } from "../../vault/keys/keysDocument.ts";
import type { KeysDocument } from "../../vault/keys/keysTypes.ts";
import { openNewFile } from "../recoveryKeyOutput.ts";
import { provePassword } from "./ownerKeys.ts";

export type InviteWish = Omit<NewInvites, "invites" | "takeOver"> & {
  readonly account: string;
  readonly count: number;
  /** https://HOST:PORT, where machines reach the gateway. */
  readonly url: string;
  readonly fingerprint: string;
  readonly folder: string;
  /** Name or id of a device whose history its machine goes on with. */
  readonly takeOver: string | null;
};

export type WrittenInvite = MadeInvites["invites"][number] & { readonly file: string };

/**
 * Makes invites and writes their files. No invite counts whose file is not on the disk; where the gateway refuses, the files go again.
 * @throws HoldfastError key-wrong, kdf-weak, not-found, exists (a file), limit-exceeded, not-home, sequence-conflict, usage; the system's errors
 */
export async function makeInvites(
  operations: Pick<AdminOperations, "devices" | "invites" | "keysDocuments">,
  wish: InviteWish,
  password: () => Promise<string>,
): Promise<WrittenInvite[]> {
  const { account, count, url, fingerprint, folder, takeOver, ...request } = wish;
  const former = takeOver === null ? null : deviceMeant(await operations.devices(account), takeOver);
  const documents = await operations.keysDocuments(account);
  const first = documents[0];
  if (first === undefined) throw new HoldfastError(ErrorCode.notFound, "this account has no vault");
  const { r, kdf } = await provePassword(first, await password());
  const opened = documents.map((document) => ({ document, e: openWithPassword(document, r).e }));
  r.fill(0);
  const made = Array.from({ length: count }, () => makeInvite(opened));
  for (const { e } of opened) e.fill(0);
  const ends = new Date(Date.now() + request.expiresInSeconds * 1000).toISOString();
  const files = made.map(({ invite: { id }, secret }) => ({
    path: join(folder, `${account}-${id.slice(0, 12)}.invite`),
    content: {
      ...{ invite: id, secret, url, fingerprint, account: { id: first.account, name: account } },
      ...{ expires: ends, kdfIterations: kdf.iterations },
      ...(request.device !== null && { device: request.device }),
      ...(former !== null && { device: former.name, takeOver: former.id }),
    },
  }));
  const written: string[] = [];
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const { path, content } of files) writeInvite(path, content, written);
    syncFolder(folder);
    const { invites } = await operations.invites.add(account, {
      ...request,
      takeOver: former?.id ?? null,
      invites: made.map(({ invite }) => invite),
    });
    return invites.map((invite, index) => ({ ...invite, file: files[index]!.path }));
  } catch (error) {
    for (const path of written) rmSync(path, { force: true });
    throw error;
  }
}

type OpenedVault = { readonly document: KeysDocument; readonly e: Buffer };

function makeInvite(opened: readonly OpenedVault[]): { invite: NewInvite; secret: Buffer } {
  const id = toHex(randomBytes(inviteIdBytes));
  const secret = randomBytes(inviteSecretBytes);
  const boxes = opened.map(({ document, e }) => [
    document.vault,
    { epoch: document.epoch, box: sealInviteBox(secret, id, document, e).toString("base64") },
  ]);
  return {
    invite: {
      id,
      tokenHash: toHex(tokenHash(inviteToken(secret, id))),
      boxes: Object.fromEntries(boxes),
    },
    secret,
  };
}

function writeInvite(path: string, content: InviteFile, written: string[]): void {
  const fd = openNewFile(path, "an invite");
  written.push(path);
  try {
    writeFileSync(fd, formatInviteFile(content));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, "r");
  fsyncSync(fd);
  closeSync(fd);
}
