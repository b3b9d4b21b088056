// Boxes in the gateway's catalog, from the JSON of a replica, each member checked.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { asArray, asHex, asInteger, asObject, asText, asTime } from "../../../vault/jsonFields.ts";
import { limits } from "../../../vault/limits.ts";
import { boxNumberMax, parseBoxKind } from "../../../vault/seed/boxDocument.ts";
import { type BoxRow, boxStates } from "../../catalog/boxes.ts";

const rowsMax = 2 ** 20;

/** @throws HoldfastError corrupt, limit-exceeded, unsupported */
export function parseBox(value: unknown): BoxRow {
  const json = asObject(value, "box");
  const state = boxStates.find((known) => known === json.state);
  if (state === undefined) throw new HoldfastError(ErrorCode.corrupt, "a box in an unknown state");
  const seal = json.seal === null ? null : asObject(json.seal, "seal");
  return {
    number: asInteger(json.number, "number of a box", 1, boxNumberMax),
    id: asHex(json.id, "id of a box", 16),
    kind: parseBoxKind(json.kind),
    name: asText(json.name, "name of a box"),
    state,
    accounts: asArray(json.accounts, "accounts of a box", rowsMax).map((row) => {
      const { account, devices } = asObject(row, "account of a box");
      return {
        account: asHex(account, "account of a box", 16),
        devices:
          devices === null
            ? null
            : asArray(devices, "devices of a box", rowsMax).map((id) => asHex(id, "device of a box", 16)),
      };
    }),
    signer: asHex(json.signer, "signer of a box", 32),
    tokenHash: asHex(json.tokenHash, "token of a box", 32),
    fingerprint: asText(json.fingerprint, "fingerprint of a box"),
    urls: asArray(json.urls, "urls of a box", limits.homeUrlsMax).map((url) => asText(url, "url of a box")),
    created: asTime(json.created, "created"),
    seal: seal && {
      seal: asInteger(seal.seal, "seal of a box", 1),
      manifest: asHex(seal.manifest, "manifest of a box", 32),
      time: asTime(seal.time, "time of a seal"),
    },
  };
}
