// Listings shrink to a twentieth: compressed as they are made, for clients that take it.

import { pipeline } from "node:stream";
import { promisify } from "node:util";
import { createGzip, gzip as gzipWhole } from "node:zlib";
import type { WebRequest } from "../view/webPort.ts";

/** Fast; the next levels win little on listings. */
const level = 3;

/** Whether the client takes gzip (RFC 9110, section 12.5.3). */
export function takesGzip(headers: WebRequest["headers"]): boolean {
  const header = headers["accept-encoding"];
  for (const part of String(header ?? "").split(",")) {
    const match = /^\s*(?:x-)?gzip\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?$/i.exec(part);
    if (match !== null) return match[1] === undefined || Number(match[1]) > 0;
  }
  return false;
}

/** The pieces compressed. Ending early ends them too. */
export async function* gzipped(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  const gzip = createGzip({ level });
  // A failure of the pieces destroys the stream with it, so the loop below throws it.
  pipeline(pieces, gzip, () => undefined);
  for await (const piece of gzip) yield piece as Buffer;
}

const compress = promisify(gzipWhole);

/** The same for what is there in one piece. */
export function gzippedWhole(bytes: Buffer): Promise<Buffer> {
  return compress(bytes, { level });
}
