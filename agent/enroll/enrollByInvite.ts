// Takes this machine in by an invite's file, without a password (docs/security.md, "Invites"): claims it, opens E with the file's secret, makes its own
// wraps, and enrols.
//
// Invariant: what was chosen is durable before the claim is sent, and stays until the enrolment is: so this may be stopped anywhere and run again.

import { randomBytes } from "node:crypto";
import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import type { InviteFile } from "../../ingest/client/inviteFile.ts";
import type { Line } from "../../ingest/line/line.ts";
import type { ClaimAnswer, DeviceWrapRequest, EnrollAnswer } from "../../ingest/wire/messages.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { publicKeyOf } from "../../vault/keys/box.ts";
import { inviteToken, openWithInvite } from "../../vault/keys/invite.ts";
import { parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import { makeDeviceWrap } from "../../vault/keys/wraps.ts";
import { learntDirectory } from "../home/followHome.ts";
import { type Enrollment, findEnrollment, writeEnrollment } from "../state/enrollment.ts";
import {
  findPendingInvite,
  type PendingInvite,
  removePendingInvite,
  writePendingInvite,
} from "../state/pendingInvite.ts";
import { Seen } from "../state/seen.ts";
import { demandPrivate, lockState } from "../state/stateDirectory.ts";
import { alreadyEnrolled, keysTriesMax } from "./enroll.ts";

export type InvitedOptions = {
  readonly file: InviteFile;
  /** What to call it, unless the invite says. */
  readonly deviceName: string;
  readonly state: string;
  /** Enroll anew where the state directory holds an enrolment. */
  readonly replace: boolean;
  readonly now: Date;
  readonly line?: Line | undefined;
};

/**
 * Enrolls and writes the state directory.
 * @throws HoldfastError token-invalid (the invite was used, revoked, or ran out), exists (device name, or the state directory is enrolled), key-wrong,
 * not-home, fingerprint-mismatch, gateway-unreachable, quota-exceeded, busy, disk-full, unsupported (a state directory that is open to others)
 */
export async function enrollByInvite(options: InvitedOptions): Promise<Enrollment> {
  const { state, file } = options;
  const lock = lockState(state);
  try {
    demandPrivate(state);
    const former = findEnrollment(state);
    const known = findPendingInvite(state);
    const isDone = former !== undefined && former.privateKey === known?.privateKey.toString("base64");
    if (former !== undefined && !isDone && !options.replace) throw alreadyEnrolled(former, state);
    const enrollment = isDone
      ? former
      : await enrollAs(options, known?.invite === file.invite ? known : choose(options));
    removePendingInvite(state);
    return enrollment;
  } finally {
    lock.release();
  }
}

function choose({ state, file: { invite, takeOver } }: InvitedOptions): PendingInvite {
  const device = takeOver ?? toHex(randomBytes(16));
  const pending = { invite, device, privateKey: randomBytes(32), claim: randomBytes(32) };
  writePendingInvite(state, pending);
  return pending;
}

async function enrollAs(options: InvitedOptions, pending: PendingInvite): Promise<Enrollment> {
  const { file, state, line } = options;
  const { url, fingerprint } = file;
  const token = inviteToken(file.secret, file.invite);
  const client = new GatewayClient({ url, fingerprint, token, line });
  try {
    const directory = await learntDirectory(client, { url, fingerprint });
    const { claimed, answer, wraps } = await claimAndEnroll(client, options, pending);
    const enrollment: Enrollment = {
      format: "holdfast-agent",
      version: 1,
      gateway: { url, fingerprint },
      account: file.account,
      device: { id: answer.id, name: claimed.device ?? options.deviceName, group: answer.group },
      vault: answer.vault,
      kdfIterations: file.kdfIterations,
      privateKey: pending.privateKey.toString("base64"),
      token: answer.token,
      enrolled: options.now.toISOString(),
      ...(claimed.appendOnly && { appendOnly: true }),
      ...(directory !== undefined && { directory }),
    };
    writeEnrollment(state, enrollment);
    const seen = new Seen(state);
    for (const [vault, { generation }] of Object.entries(wraps)) seen.noteGeneration(vault, generation);
    return enrollment;
  } catch (error) {
    throw explained(error, file);
  } finally {
    client.close();
  }
}

type Wraps = Readonly<Record<string, DeviceWrapRequest>>;

async function claimAndEnroll(
  client: GatewayClient,
  { file, deviceName }: InvitedOptions,
  pending: PendingInvite,
): Promise<{ claimed: ClaimAnswer; answer: EnrollAnswer; wraps: Wraps }> {
  const publicKey = publicKeyOf(pending.privateKey);
  const claim = pending.claim.toString("base64");
  for (let tries = 1; ; tries++) {
    const claimed = await client.claimInvite({
      device: pending.device,
      publicKey: publicKey.toString("base64"),
      claim,
    });
    const wraps = Object.fromEntries(
      claimed.vaults.map((vault) => [vault.id, wrapFor(vault, file, pending.device, publicKey)]),
    );
    try {
      const answer = await client.enrollInvited({ name: claimed.device ?? deviceName, claim, wraps });
      return { claimed, answer, wraps };
    } catch (error) {
      if (!isHoldfastError(error, ErrorCode.sequenceConflict) || tries === keysTriesMax) throw error;
    }
  }
}

function wrapFor(
  { id, keys, box }: ClaimAnswer["vaults"][number],
  { account, invite, secret }: InviteFile,
  device: string,
  publicKey: Buffer,
): DeviceWrapRequest {
  const document = parseKeysDocument(keys);
  if (document.vault !== id || document.account !== account.id) {
    throw new HoldfastError(ErrorCode.protocol, "the gateway sent the keys document of another vault");
  }
  const { e } = openWithInvite(document, secret, invite, Buffer.from(box, "base64"));
  const wrap = makeDeviceWrap(document, e, device, publicKey);
  e.fill(0);
  return {
    generation: document.generation,
    box: wrap.box,
    ...(wrap.proof !== undefined && { proof: wrap.proof }),
  };
}

function explained(error: unknown, { account, url }: InviteFile): unknown {
  if (isHoldfastError(error, ErrorCode.exists)) {
    return new HoldfastError(ErrorCode.exists, error.message, {
      next: "Run the same with --device and another name: the invite stays this machine's.",
      cause: error,
    });
  }
  if (!isHoldfastError(error, ErrorCode.notHome)) return error;
  return new HoldfastError(
    ErrorCode.notHome,
    `new devices of account ${account.name} belong to ${String(error.detail.home)} now, and this invite is of ${url}`,
    { next: "Have an invite made there.", cause: error },
  );
}
