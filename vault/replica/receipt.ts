// Receipts: signed proof that a replica held every pack that a snapshot reaches (docs/format.md, section 11.5).
import { ErrorCode, HoldfastError } from "../errors.ts";
import { asHex, asInteger, asText, asTime } from "../jsonFields.ts";
import { hkdf } from "../keys/hkdf.ts";
import { isSignedBy, SigningKey, signatureBytes } from "../keys/signature.ts";
import { formatVersion, Width } from "../magic.ts";
import { encodeProvenLine, parseLine, splitProvenLine } from "./provenLine.ts";
import { generationMax } from "./root.ts";

/** How every pack was proven to be there. */
export type ReceiptProof = "peer" | "read-back" | "checksum";
const proofs: readonly ReceiptProof[] = ["peer", "read-back", "checksum"];

export type Receipt = {
  /** 32 hex digits each. */
  readonly vault: string;
  readonly replica: string;
  /** Id of the snapshot, hex. */
  readonly snapshot: string;
  readonly generation: number;
  /** SHA-256 of the root object, hex. */
  readonly root: string;
  readonly merkle: string;
  readonly packs: number;
  readonly packBytes: number;
  readonly proof: ReceiptProof;
  /** Public key of the signer, 64 hex digits. */
  readonly signer: string;
  /** RFC 3339. */
  readonly time: string;
};

/** Signs receipts with one key. */
export class ReceiptSigner {
  readonly #key: SigningKey;

  /** `seed`: the 32 bytes of RFC 8032, section 5.1.5. */
  constructor(seed: Uint8Array) {
    this.#key = new SigningKey(seed);
  }

  /** 64 hex digits. */
  get publicKey(): string {
    return this.#key.publicKey;
  }

  /** The receipt, in this key's name. */
  sign(receipt: Omit<Receipt, "signer">): Buffer {
    const { vault, snapshot, replica, generation, root, merkle, packs, packBytes, proof, time } = receipt;
    const document = {
      format: "holdfast-receipt",
      version: formatVersion,
      vault,
      snapshot,
      replica,
      generation,
    };
    const rest = { root, merkle, packs, packBytes, proof, signer: this.publicKey, time };
    return encodeProvenLine({ ...document, ...rest }, (line) => this.#key.sign(line));
  }
}

/** The seed of the key that a gateway signs receipts with, from its secret (32 bytes) and id (16 bytes). */
export function gatewayReceiptSeed(secret: Uint8Array, gatewayId: Uint8Array): Buffer {
  return hkdf(secret, gatewayId, "holdfast receipt v1", Width.key);
}

/**
 * Reads a receipt that `signer` (64 hex digits) signed.
 * @throws HoldfastError seal-invalid when another key signed it or it was changed; corrupt, truncated, limit-exceeded, unsupported
 */
export function openReceipt(bytes: Uint8Array, signer: string): Receipt {
  const { line, proof } = splitProvenLine(bytes, signatureBytes, "a receipt");
  if (!isSignedBy(signer, line, proof)) {
    throw new HoldfastError(ErrorCode.sealInvalid, "a receipt was changed, or signed by another key");
  }
  const json = parseLine(line, "a receipt");
  if (json.format !== "holdfast-receipt") throw new HoldfastError(ErrorCode.corrupt, "not a receipt");
  const version = asInteger(json.version, "version of a receipt", 1);
  if (version !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `a receipt of version ${version}`, {
      next: "Use a newer version of this program.",
    });
  }
  if (json.signer !== signer) throw new HoldfastError(ErrorCode.corrupt, "a receipt names another signer");
  return {
    vault: asHex(json.vault, "vault of a receipt", Width.vaultId),
    snapshot: asHex(json.snapshot, "snapshot of a receipt", 32),
    replica: asHex(json.replica, "replica of a receipt", 16),
    generation: asInteger(json.generation, "generation of a receipt", 1, generationMax),
    root: asHex(json.root, "root of a receipt", 32),
    merkle: asHex(json.merkle, "merkle of a receipt", 32),
    packs: asInteger(json.packs, "packs of a receipt", 0),
    packBytes: asInteger(json.packBytes, "packBytes of a receipt", 0),
    proof: asProof(json.proof),
    signer,
    time: asTime(json.time, "time of a receipt"),
  };
}

function asProof(value: unknown): ReceiptProof {
  const text = asText(value, "proof of a receipt");
  const proof = proofs.find((known) => known === text);
  if (proof === undefined) throw new HoldfastError(ErrorCode.unsupported, "a receipt with an unknown proof");
  return proof;
}
