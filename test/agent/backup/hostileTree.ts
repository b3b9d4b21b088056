// What a hostile device could commit: another's newest snapshot, with entries changed at will.

import { toHex } from "../../../vault/bytes.ts";
import { chunkId } from "../../../vault/chunkId.ts";
import { RecordType } from "../../../vault/magic.ts";
import { openRecord, sealRecord } from "../../../vault/record.ts";
import { encodeSnapshot, openSnapshot, parseSnapshotHeader } from "../../../vault/snapshot.ts";
import { DirectoryWriter } from "../../../vault/tree/directoryWriter.ts";
import type { EntryDraft } from "../../../vault/tree/entry.ts";
import { BranchPage, parsePage } from "../../../vault/tree/page.ts";
import { MemoryGateway, testKeys } from "./memoryGateway.ts";

type Change = (path: string, draft: EntryDraft) => EntryDraft;

/** Commits the newest snapshot of `honest` anew as another item's, each entry as `change` gives it back. */
export async function commitChanged(honest: MemoryGateway, change: Change): Promise<void> {
  const object = honest.snapshots.get(honest.head ?? "");
  if (object === undefined) throw new Error("no snapshot");
  const { header, body } = openSnapshot(testKeys, object);
  const root = rewrite(honest, header.root, "", change);
  const session = new MemoryGateway(honest).session();
  const own = parseSnapshotHeader(object);
  await session.commit(
    encodeSnapshot({
      keys: testKeys,
      header: {
        flags: own.flags,
        group: own.group,
        deviceId: own.deviceId,
        itemId: Buffer.from(session.itemId, "hex"),
        sequence: 1,
        previous: Buffer.alloc(32),
        root,
      },
      body,
    }).bytes,
    { files: 1, changed: 0, added: 1, removed: 0, renamed: 0, newBytes: 0, rawBytes: 0 },
  );
}

function rewrite(gateway: MemoryGateway, id: Uint8Array, path: string, change: Change): Buffer {
  const writer = new DirectoryWriter(testKeys.splitTable(0), (plaintext, refs) => {
    const type = RecordType.directory;
    const page = chunkId(testKeys.idKey(0), type, refs, plaintext);
    gateway.records.set(toHex(page), sealRecord({ keys: testKeys, group: 0, type, plaintext, refs }));
    return page;
  });
  addAll(gateway, id, path, change, writer);
  return writer.finish().id;
}

function addAll(
  gateway: MemoryGateway,
  expectedId: Uint8Array,
  path: string,
  change: Change,
  writer: DirectoryWriter,
): void {
  const record = gateway.records.get(toHex(expectedId));
  if (record === undefined) throw new Error("a page is missing");
  const opened = openRecord({
    keys: testKeys,
    group: 0,
    record,
    expectedId,
    expectedType: RecordType.directory,
  });
  const page = parsePage(opened.plaintext, opened.refs);
  for (let row = 0; row < page.rowCount; row++) {
    if (page instanceof BranchPage) {
      addAll(gateway, page.ref(page.child(row).ordinal).id, path, change, writer);
      continue;
    }
    const draft = page.draft(row);
    const here = `${path}/${draft.name.toString()}`;
    const { child } = draft;
    const below = child === undefined ? undefined : rewrite(gateway, child.id, here, change);
    const changed =
      child === undefined || below === undefined ? draft : { ...draft, child: { ...child, id: below } };
    writer.add(change(here, changed));
  }
}
