// What became of a box, signed by the datacentre when its import ended (docs/format.md, section 12.6).
import { ErrorCode, HoldfastError } from "../errors.ts";
import { asHex, asInteger, asTime } from "../jsonFields.ts";
import { isSignedBy, type SigningKey, signatureBytes } from "../keys/signature.ts";
import { formatVersion } from "../magic.ts";
import { encodeProvenLine, parseLine, splitProvenLine } from "../replica/provenLine.ts";

export type SeedReceipt = {
  readonly box: number;
  /** Gateway id of the box, 32 hex digits. */
  readonly id: string;
  readonly seal: number;
  /** SHA-256 of the manifest, hex. */
  readonly manifest: string;
  /** Packs on the manifest, and their bytes. */
  readonly packs: number;
  readonly packBytes: number;
  /** Packs of which something was taken; of which nothing was missing. */
  readonly taken: number;
  readonly present: number;
  /** Chunks of the box's list that are needed from agents now. */
  readonly needs: number;
  /** Snapshots on the manifest, and how many of them are whole. */
  readonly snapshots: number;
  readonly whole: number;
  /** RFC 3339. */
  readonly time: string;
};

const what = "a seed receipt";
const counts = ["packs", "packBytes", "taken", "present", "needs", "snapshots", "whole"] as const;

/** Both lines, in the key's name. */
export function signSeedReceipt(receipt: SeedReceipt, key: SigningKey): Buffer {
  const { box, id, seal, manifest, packs, packBytes, taken, present, needs, snapshots, whole, time } =
    receipt;
  const head = { format: "holdfast-seed-receipt", version: formatVersion, box, id, seal, manifest };
  return encodeProvenLine(
    { ...head, packs, packBytes, taken, present, needs, snapshots, whole, signer: key.publicKey, time },
    (line) => key.sign(line),
  );
}

/**
 * Reads a receipt that `signer` (64 hex digits) signed.
 * @throws HoldfastError seal-invalid when another key signed it or it was changed; corrupt, truncated, limit-exceeded, unsupported
 */
export function openSeedReceipt(bytes: Uint8Array, signer: string): SeedReceipt {
  const { line, proof } = splitProvenLine(bytes, signatureBytes, what);
  if (!isSignedBy(signer, line, proof)) {
    throw new HoldfastError(ErrorCode.sealInvalid, `${what} was changed, or signed by another key`);
  }
  const json = parseLine(line, what);
  if (json.format !== "holdfast-seed-receipt") throw new HoldfastError(ErrorCode.corrupt, `not ${what}`);
  if (asInteger(json.version, `version of ${what}`, 1) !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `${what} of another version`, {
      next: "Use a newer version of this program.",
    });
  }
  if (json.signer !== signer) throw new HoldfastError(ErrorCode.corrupt, `${what} names another signer`);
  const count = (name: (typeof counts)[number]): number => asInteger(json[name], `${name} of ${what}`, 0);
  return {
    box: asInteger(json.box, `box of ${what}`, 1),
    id: asHex(json.id, `id of ${what}`, 16),
    seal: asInteger(json.seal, `seal of ${what}`, 1),
    manifest: asHex(json.manifest, `manifest of ${what}`, 32),
    packs: count("packs"),
    packBytes: count("packBytes"),
    taken: count("taken"),
    present: count("present"),
    needs: count("needs"),
    snapshots: count("snapshots"),
    whole: count("whole"),
    time: asTime(json.time, `time of ${what}`),
  };
}
