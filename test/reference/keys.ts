// From a password, a recovery or escrow key or a device's private key to the keys of a vault (docs/format.md, section 4).
import { sha256 } from "@noble/hashes/sha2.js";
import { Cursor, concat, fromBase64, fromHex, must, Refusal } from "./cursor.ts";
import { derive, hmacSha256, openAead, same, stretchPassword } from "./primitives.ts";
import { x25519, x25519Public } from "./x25519.ts";

/** What somebody has to open a vault with. */
export type Credential =
  | { readonly password: string }
  | { readonly recoveryKey: string }
  | { readonly device: string; readonly privateKey: Uint8Array }
  | { readonly escrowKey: string };

/** S and the A's of a vault, and what is derived from them. */
export class Keys {
  readonly vaultId: Uint8Array;
  readonly #s: Uint8Array;
  readonly #epochs: ReadonlyMap<number, Uint8Array>;

  constructor(vaultId: Uint8Array, s: Uint8Array, epochs: ReadonlyMap<number, Uint8Array>) {
    this.vaultId = vaultId;
    this.#s = s;
    this.#epochs = epochs;
  }

  idKey(group: number): Uint8Array {
    return derive(this.#s, this.vaultId, "holdfast id v1", 32, group);
  }

  /** 256 numbers of 32 bits. */
  table(kind: "gear" | "split", group: number): number[] {
    const cursor = new Cursor(derive(this.#s, this.vaultId, `holdfast ${kind} v1`, 1024, group), "table");
    return Array.from({ length: 256 }, () => cursor.u32());
  }

  fileHashKey(): Uint8Array {
    return derive(this.#s, this.vaultId, "holdfast file hash v1", 32);
  }

  sealKeys(epoch: number): { encKey: Uint8Array; macKey: Uint8Array } {
    const a = this.#a(epoch);
    return {
      encKey: derive(a, this.vaultId, "holdfast seal enc v1", 32),
      macKey: derive(a, this.vaultId, "holdfast seal mac v1", 32),
    };
  }

  metadataKey(): Uint8Array {
    return derive(this.#a(1), this.vaultId, "holdfast metadata v1", 32);
  }

  #a(epoch: number): Uint8Array {
    const a = this.#epochs.get(epoch);
    must(a !== undefined, `the ring has no key of epoch ${epoch}`);
    return a;
  }
}

export function openBox(kek: Uint8Array, context: string, box: Uint8Array): Uint8Array | null {
  const cursor = new Cursor(box, "a box");
  const salt = cursor.bytes(32);
  const commitment = cursor.bytes(32);
  const sealed = cursor.bytes(box.length - 64);
  const okm = derive(kek, salt, "holdfast box v1", 64);
  if (!same(okm.slice(32), commitment)) return null;
  return openAead(okm.slice(0, 32), context, sealed);
}

export function openPublicBox(privateKey: Uint8Array, context: string, box: Uint8Array): Uint8Array | null {
  const ephemeral = box.slice(0, 32);
  const salt = concat(ephemeral, x25519Public(privateKey));
  const kek = derive(x25519(privateKey, ephemeral), salt, "holdfast x25519 v1", 32);
  return openBox(kek, context, box.slice(32));
}

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const keyKinds = ["HFA", "HFG", "HFE", "HFX"] as const;

/** The private key in a recovery or escrow key as people write it; of HFX the public one. */
export function readRecoveryKey(text: string): { kind: (typeof keyKinds)[number]; privateKey: Uint8Array } {
  const plain = text.toUpperCase().replace(/[\s-]/g, "");
  const kind = keyKinds.find((each) => each === plain.slice(0, 3));
  must(kind !== undefined, "a recovery key starts with HFA, HFG, HFE or HFX");
  const digits = plain.slice(3).replaceAll("O", "0").replace(/[IL]/g, "1");
  must(digits.length === 56, "a recovery key has 56 characters after its prefix");
  let value = 0n;
  for (const digit of digits) {
    const index = crockford.indexOf(digit);
    must(index >= 0, `"${digit}" is not a character of recovery keys`);
    value = value * 32n + BigInt(index);
  }
  const bytes = Uint8Array.from(Buffer.from(value.toString(16).padStart(70, "0"), "hex"));
  const privateKey = bytes.slice(0, 32);
  must(same(bytes.slice(32), sha256(privateKey).slice(0, 3)), "the recovery key was copied wrong");
  return { kind, privateKey };
}

type Json = Record<string, unknown>;

function object(value: unknown, what: string): Json {
  must(typeof value === "object" && value !== null && !Array.isArray(value), `${what} is not an object`);
  return value as Json;
}

function counted(value: unknown, least: number, most: number, what: string): number {
  must(typeof value === "number" && Number.isInteger(value), `${what} is not a whole number`);
  must(value >= least && value <= most, `${what} is ${value}`);
  return value;
}

/** Opens one wrap of E; null when it does not open by this credential. */
async function openWrap(wrap: Json, context: string, credential: Credential): Promise<Uint8Array | null> {
  const box = fromBase64(wrap.box, "box");
  if (wrap.kind === "password" && "password" in credential) {
    const kdf = object(wrap.kdf, "kdf");
    if (kdf.suite !== 1) throw new Refusal("unsupported", `KDF suite ${kdf.suite}`);
    const iterations = counted(kdf.iterations, 210_000, 50_000_000, "iterations");
    const salt = fromBase64(kdf.salt, "salt");
    must(salt.length === 32, "the salt has 32 bytes");
    const { r } = await stretchPassword(credential.password, salt, iterations);
    return openBox(r, context, box);
  }
  if (wrap.kind === "recovery" && "recoveryKey" in credential) {
    return openPublicBox(readRecoveryKey(credential.recoveryKey).privateKey, context, box);
  }
  if (wrap.kind === "device" && "device" in credential && wrap.device === credential.device) {
    return openPublicBox(credential.privateKey, context, box);
  }
  if (wrap.kind === "escrow" && "escrowKey" in credential) {
    const { privateKey } = readRecoveryKey(credential.escrowKey);
    if (!same(fromBase64(wrap.public, "public"), x25519Public(privateKey))) return null;
    return openPublicBox(privateKey, context, box);
  }
  return null;
}

/** What a wrap's context has behind the kind. */
function holderOf(wrap: Json): string {
  switch (wrap.kind) {
    case "password":
    case "recovery":
      return "";
    case "device":
      return `/${wrap.device}`;
    case "escrow":
      return `/${Buffer.from(fromBase64(wrap.public, "public")).toString("hex")}`;
    default:
      throw new Refusal("unsupported", `a wrap of kind ${wrap.kind}`);
  }
}

/** Whether somebody who had E made this wrap. */
function isProven(wrap: Json, context: string, e: Uint8Array, vaultId: Uint8Array, epoch: number): boolean {
  const key = derive(e, vaultId, "holdfast wrap v1", 32, epoch);
  const shown = wrap.kind === "escrow" ? `${wrap.label}\0${wrap.since}` : "";
  const message = Buffer.from(`${context}\0${wrap.public}\0${shown}`, "utf8");
  return same(hmacSha256(key, message), fromBase64(wrap.proof, "proof"));
}

/** Opens a keys document. Fails with `auth-failed` when no wrap opens by the credential. */
export async function openKeysDocument(text: string, credential: Credential): Promise<Keys> {
  const document = object(JSON.parse(text), "the keys document");
  must(document.format === "holdfast-keys", "not a keys document");
  if (document.version !== 1) throw new Refusal("unsupported", `keys document version ${document.version}`);
  const vaultId = fromHex(document.vault, 16, "vault");
  fromHex(document.account, 16, "account");
  const epoch = counted(document.epoch, 1, 0xffff_ffff, "epoch");
  counted(document.generation, 1, 99_999_999, "generation");
  must(Array.isArray(document.wraps), "wraps is not a list");

  let e: Uint8Array | null = null;
  const wraps = document.wraps.map((each) => object(each, "a wrap"));
  const contextOf = (wrap: Json): string =>
    `holdfast/wrap/${document.account}/${document.vault}/${epoch}/${wrap.kind}${holderOf(wrap)}`;
  for (const wrap of wraps) e ??= await openWrap(wrap, contextOf(wrap), credential);
  if (e === null) throw new Refusal("auth-failed", "no wrap opens by what was given");
  must(e.length === 16, "E has 16 bytes");
  // Not asked of a reader; here it holds the writer to what the format says.
  for (const wrap of wraps) {
    if (wrap.proof === undefined) continue;
    must(isProven(wrap, contextOf(wrap), e, vaultId, epoch), "a wrap that nobody who has the keys made");
  }

  const ringKey = derive(e, vaultId, "holdfast ring v1", 32, epoch);
  const ringText = openBox(
    ringKey,
    `holdfast/ring/${document.vault}/${epoch}`,
    fromBase64(document.ring, "ring"),
  );
  must(ringText !== null, "the ring does not open");
  const ring = object(JSON.parse(Buffer.from(ringText).toString("utf8")), "the ring");
  const epochs = new Map<number, Uint8Array>();
  for (const [number, a] of Object.entries(object(ring.epochs, "epochs"))) {
    must(/^[1-9][0-9]*$/.test(number), `epoch ${number}`);
    epochs.set(Number(number), fromHex(a, 32, "A"));
  }
  return new Keys(vaultId, fromHex(ring.s, 32, "S"), epochs);
}
