// Makes the golden vector of an invite for the keys document of keys-document.json, once: `node test/vectors/makeInvite.ts`. It refuses to overwrite.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatInviteFile, type InviteFile } from "../../ingest/client/inviteFile.ts";
import { toHex } from "../../vault/bytes.ts";
import { inviteToken, sealInviteBox } from "../../vault/keys/invite.ts";
import { seededBytes } from "../vault/seeded.ts";

const fixed = (name: string, length: number): Buffer => Buffer.from(seededBytes(`invite vector ${name}`, length));
const path = join(import.meta.dirname, "invite.json");
if (existsSync(path)) throw new Error(`${path} exists: golden vectors are made once`);
const { document, e } = JSON.parse(readFileSync(join(import.meta.dirname, "keys-document.json"), "utf8"));
const file: InviteFile = {
  invite: toHex(fixed("id", 16)),
  secret: fixed("secret", 32),
  ...{ url: "https://backup.example:7440", fingerprint: `SHA256:${toHex(fixed("fingerprint", 32))}` },
  ...{ account: { id: document.account, name: "Müller + Co" }, expires: "2026-12-03T09:00:00.000Z" },
  ...{ kdfIterations: 600_000, device: "till 3" },
};
const vector = {
  about: "An invite for the keys document of keys-document.json (docs/format.md, section 4). The token is without its prefix.",
  file: formatInviteFile(file),
  token: inviteToken(file.secret, file.invite).slice("hfv_".length),
  box: sealInviteBox(file.secret, file.invite, document, Buffer.from(e, "hex")).toString("base64"),
};
writeFileSync(path, `${JSON.stringify(vector, null, 1)}\n`);
