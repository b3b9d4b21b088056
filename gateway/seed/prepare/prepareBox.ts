// Makes a box: a whole gateway data directory, sealed at rest, for chosen accounts and devices (docs/seeding.md).
//
// The order, and what a run that goes on finds after a stop (docs/concurrency.md, "Boxes"):
//   1. a number and a row `preparing`; box.json, then secrets.sealed without recalls. Nobody is sent to the box yet
//   2. the homes: from here on the devices belong to the box, and nothing of theirs is committed at the datacentre
//   3. rows and documents as they are now, made anew each time
//   4. secrets.sealed with the recalls, gateway.json, the row `prepared`

import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { fingerprintOf } from "../../../ingest/client/fingerprint.ts";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import { publicKeyOf } from "../../../vault/keys/box.ts";
import { SigningKey } from "../../../vault/keys/signature.ts";
import {
  type BoxDocument,
  type BoxKind,
  boxRecoveryKey,
  boxUnlockKey,
  createBoxDocument,
  formatBoxDocument,
  openBoxKeyAtDatacentre,
} from "../../../vault/seed/boxDocument.ts";
import { seedSigningSeed } from "../../../vault/seed/manifest.ts";
import { issueToken, tokenHash } from "../../auth/tokens.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import type { Gateway } from "../../gateway.ts";
import { settingsDefault } from "../../settings.ts";
import { formatSettings } from "../../settingsText.ts";
import { makeFolderDurably, syncDirectory, writeFileDurably } from "../../store/files.ts";
import { formats } from "../../upgrade/formats.ts";
import {
  type BoxSecrets,
  boxDocumentName,
  boxGatewaySecret,
  readSecrets,
  writeSecrets,
} from "../boxDirectory.ts";
import { appendCustody } from "../custodyFile.ts";
import { type BoxContent, copyRows } from "./copyRows.ts";
import { checkTarget, type FoundBox, notEmpty } from "./target.ts";

export type BoxPlan = {
  readonly directory: string;
  readonly kind: BoxKind;
  readonly accounts: BoxRow["accounts"];
  /** undefined: "box N". */
  readonly name: string | undefined;
  /** HOST:PORT that the box listens on. */
  readonly listen: string;
  /** Where agents reach it. */
  readonly urls: readonly string[];
  /** Where the box reaches this gateway. */
  readonly datacentreUrls: readonly string[];
  readonly kdf: BoxDocument["key"]["kdf"];
  /** R of the passphrase. */
  readonly r: Uint8Array;
  /** Who does it, for the custody log. */
  readonly by: string;
};

/** One box at a time: the caller sees to that. @throws HoldfastError exists, usage, not-found, limit-exceeded, disk-full, io-error */
export async function prepareBox(gateway: Gateway, plan: BoxPlan): Promise<BoxRow> {
  const { boxes } = gateway.catalog;
  const half = await checkTarget(plan.directory);
  const known = half && begunHere(gateway, plan, half);
  const finish = (number: number): BoxRow => boxes.update(number, (now) => ({ ...now, state: "prepared" }));
  // The stop came before the row knew: it opens with the passphrase that it was made with.
  const isSame = known !== undefined && isDeepStrictEqual(known.accounts, plan.accounts);
  if (known !== undefined && half?.whole === true) {
    if (isSame) return finish(known.number);
    throw notEmpty(plan.directory, `holds box ${known.number}, which was made for other accounts or devices`);
  }
  // The run before may have lent what this one does not ask for.
  if (known !== undefined && !isSame) {
    for (const { account } of known.accounts) await gateway.homes.recalled(account, known.id);
  }
  const { document, row, boxKey } = await beginBox(gateway, plan, half?.document);
  try {
    for (const folder of ["gateway", "seed", "vaults"]) await makeFolderDurably(join(plan.directory, folder));
    const secrets = await ensureSecrets(gateway, plan, document, boxKey);
    const settings = { ...settingsDefault, name: "box", listen: plan.listen };
    await writeFileDurably(join(plan.directory, "config.toml"), Buffer.from(formatSettings(settings)));
    const { recalls, ...content } = await lendAccounts(gateway, plan, row, secrets);
    // What a run before left of the databases may be older than the homes.
    await rm(join(plan.directory, "catalog"), { recursive: true, force: true });
    await rm(join(plan.directory, "vaults"), { recursive: true, force: true });
    await copyRows(gateway, { ...plan, boxKey, document }, content);
    await writeSecrets(plan.directory, document.id, boxKey, { ...secrets, recalls });
    await appendCustody(plan.directory, {
      time: gateway.now().toISOString(),
      event: "prepared",
      by: plan.by,
      note: "",
    });
    await writeIdentity(plan.directory, document, boxKey);
    return finish(row.number);
  } finally {
    boxKey.fill(0);
  }
}

/** The row of a box that a run before left in the directory. @throws HoldfastError exists for any other box */
function begunHere(
  { catalog, dataDir }: Gateway,
  { directory, kind }: BoxPlan,
  { document }: FoundBox,
): BoxRow {
  const row = catalog.boxes.get(document.box);
  const { id, box, datacentre } = document;
  const begun = row?.id === id && datacentre.id === dataDir.identity.id && row.state === "preparing";
  if (begun && document.kind === kind) return row;
  const by = document.kind === "seed" ? "seed prepare" : "seed stage-restore";
  const already = begun ? `, begun by \`${by}\`` : " already";
  throw notEmpty(directory, `holds box ${box} of ${datacentre.name}${already}`);
}

type Begun = { readonly document: BoxDocument; readonly row: BoxRow; readonly boxKey: Buffer };

/** A new box, or the one that a run before left half made in the directory. box.json is durable when this returns. */
async function beginBox(gateway: Gateway, plan: BoxPlan, half: BoxDocument | undefined): Promise<Begun> {
  const { boxes } = gateway.catalog;
  const { identity, settings } = gateway.dataDir;
  const unlockKey = boxUnlockKey(Buffer.from(identity.secret, "base64"), fromHex(identity.id, 16));
  let facts: Pick<BoxDocument, "kind" | "box" | "id" | "created" | "datacentre">;
  let boxKey: Buffer;
  if (half !== undefined) {
    boxKey = openBoxKeyAtDatacentre(half, unlockKey);
    facts = half;
  } else {
    boxKey = randomBytes(32);
    const id = toHex(randomBytes(16));
    const datacentre = {
      id: identity.id,
      name: settings.name,
      public: publicKeyOf(unlockKey).toString("base64"),
      signer: gateway.homes.directory().signer,
    };
    const created = gateway.now().toISOString();
    facts = { kind: plan.kind, box: boxes.nextNumber(), id, created, datacentre };
  }
  const { kind, box, id, created } = facts;
  const row = boxes.add({
    number: box,
    id,
    kind,
    name: plan.name ?? `box ${box}`,
    state: "preparing",
    accounts: plan.accounts,
    signer: new SigningKey(seedSigningSeed(boxGatewaySecret(boxKey, id), fromHex(id, 16))).publicKey,
    tokenHash: boxes.get(box)?.tokenHash ?? "0".repeat(64),
    fingerprint: boxes.get(box)?.fingerprint ?? "",
    urls: plan.urls,
    created,
    seal: null,
  });
  const document = createBoxDocument(facts, boxKey, plan.kdf, plan.r);
  await writeFileDurably(join(plan.directory, boxDocumentName), formatBoxDocument(document));
  unlockKey.fill(0);
  return { document, row, boxKey };
}

/** TLS identity and token of a run before, or new ones, known to the row. */
async function ensureSecrets(
  gateway: Gateway,
  plan: BoxPlan,
  { id, box }: BoxDocument,
  boxKey: Buffer,
): Promise<BoxSecrets> {
  const { boxes } = gateway.catalog;
  const name = boxes.get(box)!.name;
  const datacentre = { urls: plan.datacentreUrls, fingerprint: gateway.dataDir.fingerprint };
  const known = await readSecrets(plan.directory, id, boxKey).catch((error: unknown) => {
    if (isHoldfastError(error, ErrorCode.dataDirInvalid)) return undefined;
    throw error;
  });
  // The certificate library is large and only needed here.
  const { createCertificate } = await import("../../certificate.ts");
  const hosts = plan.urls.map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ""));
  const secrets: BoxSecrets = {
    tls: known?.tls ?? (await createCertificate(name, hosts, gateway.now())),
    token: known?.token ?? issueToken("box").token,
    name,
    datacentre,
    recalls: {},
  };
  await writeSecrets(plan.directory, id, boxKey, secrets);
  boxes.update(box, (row) => ({
    ...row,
    tokenHash: toHex(tokenHash(secrets.token)),
    fingerprint: fingerprintOf(secrets.tls.certificate),
  }));
  return secrets;
}

/** Makes the box the home of what it was made for. A box that only restores is nobody's home. */
async function lendAccounts(
  gateway: Gateway,
  { accounts, kind, urls }: BoxPlan,
  { id, name, number }: BoxRow,
  { tls }: BoxSecrets,
): Promise<{ recalls: BoxSecrets["recalls"]; homes: BoxContent["homes"] }> {
  const recalls: Record<string, string> = {};
  const homes: Record<string, Buffer> = {};
  if (kind === "restore") return { recalls, homes };
  const home = { gateway: id, name, urls, fingerprint: fingerprintOf(tls.certificate) };
  for (const { account, devices } of accounts) {
    const { record, recall } = await gateway.homes.lend(account, devices, home);
    recalls[account] = recall.toString();
    homes[account] = record;
  }
  gateway.logger.info({ box: number, accounts: accounts.length }, "devices were lent to a box");
  return { recalls, homes };
}

/** gateway.json: from here on the directory is a gateway's. Its secret is not in there: it comes from the box key. */
async function writeIdentity(path: string, { id, created }: BoxDocument, boxKey: Buffer): Promise<void> {
  const recovery = boxRecoveryKey(boxKey, id);
  const recoveryPublic = publicKeyOf(recovery).toString("base64");
  recovery.fill(0);
  const identity = { format: "holdfast-gateway", version: formats.newest, id, created, recoveryPublic };
  await writeFileDurably(join(path, "gateway.json"), Buffer.from(`${JSON.stringify(identity, null, 1)}\n`));
  await syncDirectory(join(path, ".."));
}
