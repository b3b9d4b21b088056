// Makes the golden vector of a keys document that was rotated and has an escrow key, once: `node test/vectors/makeEscrow.ts`. It refuses to overwrite.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../vault/bytes.ts";
import { publicKeyOf, sealBox, sealPublicBox } from "../../vault/keys/box.ts";
import { type EscrowWrap, type KeysDocument, wrapContext } from "../../vault/keys/keysTypes.ts";
import { formatRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import { encodeRing, ringContext, ringKey } from "../../vault/keys/ring.ts";
import { makeEscrowWrap } from "../../vault/keys/wraps.ts";
import { seededBytes } from "../vault/seeded.ts";

const fixed = (name: string, length: number): Buffer => Buffer.from(seededBytes(`escrow vector ${name}`, length));
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

const epoch = 3;
const [vaultId, account] = [fixed("vault id", 16), toHex(fixed("account id", 16))];
const place = { vault: toHex(vaultId), account, epoch };
const epochs = new Map([1, 2, 3].map((each) => [each, fixed(`a ${each}`, 32)]));
const secrets = { vaultId, s: fixed("s", 32), epochs, currentEpoch: epoch };
const e = fixed("e", 16);
const escrowPrivate = fixed("escrow private", 32);
const escrowPublic = publicKeyOf(escrowPrivate);
const fixedBox = { ephemeralPrivate: fixed("ephemeral private", 32), salt: fixed("box salt", 32) };
const ringSalt = fixed("ring salt", 32);
const context = wrapContext(place, "escrow", toHex(escrowPublic));
const holder = { label: "Müller & Söhne", since: "2026-11-26T09:00:00.000Z", public: base64(escrowPublic) };
const wrap: EscrowWrap = {
  ...makeEscrowWrap(place, e, holder),
  box: base64(sealPublicBox(escrowPublic, context, e, fixedBox)),
};
const document: KeysDocument = {
  ...{ format: "holdfast-keys", version: 1, ...place, generation: 9 },
  ring: base64(sealBox(ringKey(e, vaultId, epoch), ringContext(place.vault, epoch), encodeRing(secrets), ringSalt)),
  wraps: [wrap],
};

const path = join(import.meta.dirname, "escrow.json");
if (existsSync(path)) throw new Error(`${path} exists: golden vectors are made once`);
const vector = {
  about: "A keys document in its third epoch, wrapped for an escrow key alone (docs/format.md, section 4). Keys are hex, boxes base64.",
  escrowKey: formatRecoveryKey("escrow", escrowPrivate),
  escrowPrivate: toHex(escrowPrivate),
  escrowPublicText: formatRecoveryKey("escrowPublic", escrowPublic),
  e: toHex(e),
  secrets: {
    vaultId: place.vault,
    s: toHex(secrets.s),
    epochs: Object.fromEntries([...epochs].map(([number, a]) => [number, toHex(a)])),
    currentEpoch: epoch,
  },
  context,
  ringSalt: toHex(ringSalt),
  ephemeralPrivate: toHex(fixedBox.ephemeralPrivate),
  boxSalt: toHex(fixedBox.salt),
  document,
};
writeFileSync(path, `${JSON.stringify(vector, null, 1)}\n`);
