// A vault's record store in a directory of its own, without HTTP and keys: records are well-formed and hold random bytes.

import { randomBytes } from "node:crypto";
import { selectSha256 } from "../../agent/platform/nativeSha256.ts";
import type { VaultStoreOptions } from "../../gateway/store/storeParts.ts";
import { VaultStore } from "../../gateway/store/vaultStore.ts";
import { Admission, type BatchAnswer } from "../../ingest/session/admission.ts";
import { RecordType } from "../../vault/magic.ts";

export type PlainRecord = { readonly id: Buffer; readonly record: Buffer };

export const writer = Buffer.alloc(16, 7);
export const group = 1;

/** A record that parses: sealed bytes are random, references as given. */
export function plainRecord(sealedBytes = 200, refs: readonly Buffer[] = []): PlainRecord {
  const header = Buffer.alloc(72 + refs.length * 32);
  header.write("HFr1", 0, "latin1");
  header[4] = 1;
  header[5] = refs.length > 0 ? RecordType.directory : RecordType.data;
  header.writeUInt32LE(1, 8);
  header.writeUInt32LE(sealedBytes, 12);
  header.writeUInt32LE(refs.length, 16);
  const id = randomBytes(32);
  id.copy(header, 24);
  randomBytes(16).copy(header, 56);
  refs.forEach((ref, i) => {
    ref.copy(header, 72 + i * 32);
  });
  return { id, record: Buffer.concat([header, randomBytes(sealedBytes + 16)]) };
}

/** A page record without references is of type directory too. */
export function emptyPage(): PlainRecord {
  const page = plainRecord(100);
  page.record[5] = RecordType.directory;
  return page;
}

/** What `gateway run` hashes with. */
const sha256 = selectSha256();

export type OpenedStore = {
  readonly store: VaultStore;
  put(...records: readonly PlainRecord[]): Promise<BatchAnswer>;
};

export const events: { event: string; facts: Record<string, unknown> }[] = [];

export async function openStore(
  directory: string,
  options: Partial<VaultStoreOptions> = {},
): Promise<OpenedStore> {
  const store = await VaultStore.open({
    directory,
    writerOrdinal: () => 3,
    reserveBytes: 0,
    sha256,
    report: (event, facts) => void events.push({ event, facts }),
    ...options,
  });
  const admission = new Admission(store);
  return {
    store,
    put: (...records) =>
      admission.admit({ group, writer, epochMax: 1, records: records.map((each) => each.record) }),
  };
}

/** What reading an id brings: its bytes, an error code, or undefined. */
export async function readOne(store: VaultStore, id: Buffer): Promise<Buffer | string | undefined> {
  for await (const outcome of store.read(store.lookupBatch(group, id))) {
    if (outcome === undefined || Buffer.isBuffer(outcome)) return outcome;
    return (outcome as { code: string }).code;
  }
  return undefined;
}
