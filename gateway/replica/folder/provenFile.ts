// An object on its way: written to a temporary file, synced, read back and hashed before it gets its name.

import { randomBytes } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { writeFully } from "../../store/files.ts";
import type { ObjectSource, PutOptions } from "../replicaStore.ts";
import { folderError } from "./folderErrors.ts";
import { hashOfFile, hashOfSource, pieceBytes } from "./hashing.ts";
import { temporaryFolder } from "./temporaryFolder.ts";

export type Writing = {
  /** The replica's folder. */
  readonly replica: string;
  readonly key: string;
  readonly throttle: PutOptions["throttle"];
  /** Throws when the work is to stop. */
  readonly check: () => void;
  readonly sent: (bytes: number) => void;
};

/**
 * Hands a file with the source's bytes, synced and proven, to `use`; what is left of it afterwards is removed.
 * @throws HoldfastError replica-*, corrupt (a source that is not of its hash), what `check` and the source throw
 */
export async function withProvenFile<Answer>(
  source: ObjectSource,
  writing: Writing,
  use: (path: string) => Promise<Answer>,
): Promise<Answer> {
  const { replica, key, check } = writing;
  const path = join(replica, temporaryFolder, toHex(randomBytes(16)));
  const disk = <Done>(work: Promise<Done>): Promise<Done> =>
    work.catch((error: unknown) => {
      throw folderError(error, join(replica, key));
    });
  const handle = await disk(open(path, "wx+", 0o600));
  try {
    for (let at = 0; at < source.bytes; at += pieceBytes) {
      const length = Math.min(pieceBytes, source.bytes - at);
      await writing.throttle?.(length);
      const piece = await source.read(at, length);
      check();
      await disk(writeFully(handle.fd, [piece], at));
      writing.sent(length);
    }
    await disk(handle.sync());
    const found = await disk(hashOfFile(handle.fd, source.bytes));
    if (!found.equals(source.sha256)) {
      // Whose fault is it?
      throw (await hashOfSource(source)).equals(source.sha256) ? misread(key) : notItsHash(key);
    }
    check();
    return await use(path);
  } finally {
    await handle.close();
    await rm(path, { force: true }).catch(() => undefined);
  }
}

function misread(key: string): HoldfastError {
  return new HoldfastError(
    ErrorCode.replicaDamaged,
    `the replica's disk gave back other bytes of ${key} than were written`,
    { next: "Check the disk: it does not keep what it is given.", detail: { key } },
  );
}

function notItsHash(key: string): HoldfastError {
  return new HoldfastError(
    ErrorCode.corrupt,
    `the bytes for ${key} are not those of their hash; nothing was stored`,
    {
      detail: { key },
    },
  );
}
