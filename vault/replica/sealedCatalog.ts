// A catalog, sealed (docs/format.md, section 11.6): JSON text, compressed, in a box.
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { asBuffer, isZero } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { boxOverhead, openBox, sealBox } from "../keys/box.ts";
import { derive, hkdf } from "../keys/hkdf.ts";
import { limits } from "../limits.ts";
import { formatVersion, Magic, Width } from "../magic.ts";

/** What opens a catalog, and what it is bound to. */
export type CatalogKey = { readonly key: Buffer; readonly context: string };

/** For the gateway's catalog, from its secret (32 bytes) and id (16 bytes). */
export function gatewayCatalogKey(secret: Uint8Array, gatewayId: Uint8Array): CatalogKey {
  return {
    key: hkdf(secret, gatewayId, "holdfast catalog v1", Width.key),
    context: `holdfast/catalog/${asBuffer(gatewayId).toString("hex")}`,
  };
}

/** For a vault's catalog, from its metadata key and id (16 bytes). */
export function vaultCatalogKey(metadataKey: Uint8Array, vaultId: Uint8Array): CatalogKey {
  return {
    key: derive(metadataKey, vaultId, "holdfast catalog v1"),
    context: `holdfast/catalog/${asBuffer(vaultId).toString("hex")}`,
  };
}

/**
 * Seals JSON text. `salt` (32 bytes) is random unless a test vector fixes it.
 * @throws HoldfastError limit-exceeded
 */
export function sealCatalog(text: Uint8Array, { key, context }: CatalogKey, salt?: Uint8Array): Buffer {
  if (text.length > limits.catalogBytesMax) throw tooLong(text.length);
  const header = Buffer.alloc(Width.catalogHeader);
  header.writeUInt32LE(Magic.catalog, 0);
  header[4] = formatVersion;
  header.writeUInt32LE(text.length, 8);
  const sealed = Buffer.concat([header, sealBox(key, context, zstdCompressSync(text), salt)]);
  if (sealed.length > limits.catalogBytesMax) throw tooLong(sealed.length);
  return sealed;
}

/**
 * The JSON text of a sealed catalog.
 * @throws HoldfastError key-wrong, seal-invalid; corrupt, truncated, limit-exceeded, unsupported
 */
export function openCatalog(bytes: Uint8Array, { key, context }: CatalogKey): Buffer {
  const sealed = asBuffer(bytes);
  if (sealed.length > limits.catalogBytesMax) throw tooLong(sealed.length);
  if (sealed.length < Width.catalogHeader + boxOverhead) {
    throw new HoldfastError(ErrorCode.truncated, "sealed catalog cut short");
  }
  if (sealed.readUInt32LE(0) !== Magic.catalog) {
    throw new HoldfastError(ErrorCode.corrupt, "not a sealed catalog");
  }
  if (sealed[4] !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `sealed catalog of version ${sealed[4]}`);
  }
  if (!isZero(sealed.subarray(5, 8))) {
    throw new HoldfastError(ErrorCode.corrupt, "reserved bytes of a sealed catalog are set");
  }
  const length = sealed.readUInt32LE(8);
  if (length > limits.catalogBytesMax) throw tooLong(length);
  return decompress(
    openBox(key, context, sealed.subarray(Width.catalogHeader), limits.catalogBytesMax),
    length,
  );
}

/** log2 of the largest window of a frame: enough for a catalog at its limit. */
const windowLogMax = 26;

function decompress(frame: Buffer, length: number): Buffer {
  let result: { buffer: Buffer; engine: { bytesWritten: number } };
  try {
    // With `info` the result also says how many bytes were consumed, which the declared type does not know.
    result = zstdDecompressSync(frame, {
      maxOutputLength: Math.max(length, 1),
      info: true,
      params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
    }) as unknown as typeof result;
  } catch (cause) {
    throw new HoldfastError(ErrorCode.corrupt, "a catalog is not a zstd frame of the stated length", {
      cause,
    });
  }
  if (result.buffer.length !== length || result.engine.bytesWritten !== frame.length) {
    throw new HoldfastError(ErrorCode.corrupt, "a catalog has another length than it states");
  }
  return result.buffer;
}

function tooLong(bytes: number): HoldfastError {
  return new HoldfastError(ErrorCode.limitExceeded, `a catalog of ${bytes} bytes`);
}
