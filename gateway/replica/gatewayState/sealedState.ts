// sealed.json, read with the gateway's recovery key (docs/format.md, section 11.6).

import { equalBytes } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { asHex, asInteger, asObject, asText, fromBase64, parseJson } from "../../../vault/jsonFields.ts";
import { openPublicBox, publicKeyOf } from "../../../vault/keys/box.ts";
import { Width } from "../../../vault/magic.ts";
import { type SealedState, sealedContext } from "../../dataDir.ts";
import { gatewaySecret } from "../../gatewaySecret.ts";
import { checkSettings, type GatewaySettings, settingsDefault } from "../../settings.ts";

/** What sealed.json says, and which gateway it is of. */
export type OpenedState = SealedState & {
  /** 32 hex digits. */
  readonly gateway: string;
  /** Public half of the recovery key, base64. */
  readonly recoveryPublic: string;
};

const what = "sealed.json";

/**
 * Opens sealed.json. `recoveryKey`: the private half, 32 bytes; `gateway`: the id that it must be of.
 * @throws HoldfastError key-wrong; seal-invalid when it was changed or made by another than its gateway, corrupt, truncated, limit-exceeded; unsupported
 */
export function openSealedState(bytes: Uint8Array, recoveryKey: Uint8Array, gateway: string): OpenedState {
  const document = asObject(parseJson(bytes, what), what);
  if (document.format !== "holdfast-gateway-sealed") {
    throw new HoldfastError(ErrorCode.corrupt, `not a ${what}`);
  }
  if (asInteger(document.version, `version of ${what}`, 1) !== 1) {
    throw new HoldfastError(ErrorCode.unsupported, `${what} of version ${String(document.version)}`, {
      next: "Use a newer version of this program.",
    });
  }
  if (asHex(document.gateway, "gateway id", 16) !== gateway) {
    throw new HoldfastError(ErrorCode.corrupt, `${what} is of another gateway`);
  }
  const recipient = publicKeyOf(recoveryKey);
  const recoveryPublic = fromBase64(document.public, "public");
  if (!recipient.equals(recoveryPublic)) throw wrongKey(gateway);
  let text: Buffer;
  try {
    text = openPublicBox(recoveryKey, recipient, sealedContext(gateway), fromBase64(document.box, "box"));
  } catch (error) {
    throw isHoldfastError(error, ErrorCode.keyWrong) ? wrongKey(gateway) : error;
  }
  try {
    const state = parseState(text);
    if (!equalBytes(gatewaySecret(recoveryKey, gateway), Buffer.from(state.secret, "base64"))) {
      throw new HoldfastError(ErrorCode.sealInvalid, `${what} was sealed by somebody else than its gateway`);
    }
    return { ...state, gateway, recoveryPublic: recoveryPublic.toString("base64") };
  } finally {
    text.fill(0);
  }
}

function wrongKey(gateway: string): HoldfastError {
  return new HoldfastError(
    ErrorCode.keyWrong,
    "this recovery key is not that of the gateway in the replica",
    {
      next: "Take the key that `gateway init` of that gateway gave: it begins with HFG.",
      detail: { gateway },
    },
  );
}

function parseState(text: Buffer): SealedState {
  const json = asObject(parseJson(text, "the sealed state"), "the sealed state");
  const tls = asObject(json.tls, "tls");
  const keys = Object.entries(asObject(json.metadataKeys, "metadataKeys"));
  return {
    settings: parseSettings(asObject(json.settings, "settings")),
    tls: { certificate: asText(tls.certificate, "certificate"), key: asText(tls.key, "key") },
    secret: asSecret(json.secret, "secret"),
    metadataKeys: Object.fromEntries(
      keys.map(([vault, key]) => [asHex(vault, "vault id", 16), asSecret(key, "metadata key")]),
    ),
  };
}

function asSecret(value: unknown, name: string): string {
  if (fromBase64(value, name).length !== Width.key) {
    throw new HoldfastError(ErrorCode.corrupt, `${name} has not 32 bytes`);
  }
  return value as string;
}

/** Settings that are not known are left out; those that an older gateway did not have are the default. */
function parseSettings(json: Readonly<Record<string, unknown>>): GatewaySettings {
  const settings: Record<string, unknown> = { ...settingsDefault };
  for (const [name, usual] of Object.entries(settingsDefault)) {
    if (typeof json[name] === typeof usual) settings[name] = json[name];
  }
  try {
    return checkSettings(settings as unknown as GatewaySettings);
  } catch (error) {
    throw new HoldfastError(ErrorCode.corrupt, "the sealed settings are not valid", { cause: error });
  }
}
