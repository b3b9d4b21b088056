// The file that enrols one machine without the account's password (docs/format.md section 4, "Invite"): where the gateway is, its pinned key, and the
// secret, which is nowhere else. Whoever has the file while it is open is who enrols.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { asHex, asInteger, asObject, asText, asTime, fromBase64, parseJson } from "../../vault/jsonFields.ts";
import { inviteIdBytes, inviteSecretBytes } from "../../vault/keys/invite.ts";
import { limits } from "../../vault/limits.ts";
import { formatVersion, Width } from "../../vault/magic.ts";
import { checkName } from "../wire/names.ts";
import { parseFingerprint } from "./fingerprint.ts";
import { gatewayOrigin } from "./gatewayAddress.ts";

export type InviteFile = {
  /** 32 hex. */
  readonly invite: string;
  readonly secret: Buffer;
  /** https://HOST:PORT */
  readonly url: string;
  readonly fingerprint: string;
  readonly account: { readonly id: string; readonly name: string };
  /** RFC 3339; for people, the gateway's clock counts. */
  readonly expires: string;
  /** Of the account's password: what the machine pins for later. */
  readonly kdfIterations: number;
  /** What the machine will be called; its host name where nothing is said. */
  readonly device?: string;
  /** Id of the device whose history goes on, with its name in `device`. */
  readonly takeOver?: string;
};

const fileBytesMax = 16 * 1024;
const accountIdBytes = 16;

/** The file's text. */
export function formatInviteFile({ invite, secret, ...rest }: InviteFile): string {
  const head = { format: "holdfast-invite", version: formatVersion, invite };
  return `${JSON.stringify({ ...head, secret: secret.toString("base64"), ...rest }, null, 1)}\n`;
}

/** @throws HoldfastError corrupt, limit-exceeded, unsupported, usage */
export function parseInviteFile(text: string): InviteFile {
  const json = asObject(parseJson(text, "the invite file", fileBytesMax), "the invite file");
  if (json.format !== "holdfast-invite") throw new HoldfastError(ErrorCode.corrupt, "not an invite file");
  const version = asInteger(json.version, "version of the invite file", 1);
  if (version !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `an invite file of version ${version}`, {
      next: "Use a newer version of this program.",
    });
  }
  const secret = fromBase64(json.secret, "secret of the invite file");
  if (secret.length !== inviteSecretBytes)
    throw new HoldfastError(ErrorCode.corrupt, "the invite file's secret has another length");
  const account = asObject(json.account, "account of the invite file");
  return {
    invite: asHex(json.invite, "id of the invite file", inviteIdBytes),
    secret,
    url: gatewayOrigin(asText(json.url, "url of the invite file")),
    fingerprint: parseFingerprint(asText(json.fingerprint, "fingerprint of the invite file")),
    account: {
      id: asHex(account.id, "account of the invite file", accountIdBytes),
      name: checkName(asText(account.name, "account of the invite file"), "account"),
    },
    expires: asTime(json.expires, "end of the invite file"),
    kdfIterations: asInteger(json.kdfIterations, "KDF iterations", 1, limits.kdfIterationsMax),
    ...(json.device !== undefined && { device: checkName(asText(json.device, "device"), "device") }),
    ...(json.takeOver !== undefined && {
      takeOver: asHex(json.takeOver, "device to take over", Width.deviceId),
    }),
  };
}
