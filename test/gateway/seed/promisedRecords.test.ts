// Records that rest on what is promised: admitted, told, replaced and recovered, against a model, with stops at any moment.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { IndexOverlay } from "../../../gateway/index/overlay.ts";
import { rowFlags } from "../../../gateway/index/row.ts";
import type { VaultStore } from "../../../gateway/store/vaultStore.ts";
import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import { group, type OpenedStore, openStore, type PlainRecord, plainRecord } from "../vaultStoreFixture.ts";
import { chunkListOf } from "./chunkLists.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-promised-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** What a kill leaves: nothing of memory goes to the database. */
async function crash({ store }: OpenedStore): Promise<void> {
  await store.settled();
  await store.environment.close();
}

function ordinalOf(store: VaultStore, id: Buffer): number | undefined {
  return store.overlay.lookup(group, id)?.ordinal;
}

async function promise(store: VaultStore, box: number, records: readonly PlainRecord[]): Promise<void> {
  await store.promises.load({
    box,
    seal: 1,
    list: chunkListOf([{ group, ids: records.map(({ id }) => id) }]),
  });
}

function closeBox(store: VaultStore, box: number): Promise<void> {
  return store.promises.close(box, async (change) => store.flush(change));
}

/** The ordinals of promised rows that the table of full ids has, and that rows of the index have. */
function promisedRows(store: VaultStore): { table: number[]; rows: number[] } {
  const rows: number[] = [];
  store.index.scan(undefined, Number.POSITIVE_INFINITY, (_group, _id, row) => {
    if (row.flags & rowFlags.promised) rows.push(row.ordinal);
  });
  const table = store.index.promised.from(0, 100_000).map(({ ordinal }) => ordinal);
  return { table, rows: rows.sort((a, b) => a - b) };
}

describe("records that rest on promised ones", () => {
  test("are admitted, and what they rest on is told as had, not as here", async () => {
    const { store, put } = await openStore(scratch());
    cleanups.push(() => store.close());
    const chunks = [plainRecord(), plainRecord(), plainRecord()];
    const ids = Buffer.concat(chunks.map(({ id }) => id));
    const page = plainRecord(
      50,
      chunks.map(({ id }) => id),
    );
    expect([...(await put(page)).statuses]).toEqual([RecordStatus.waits]);
    expect(store.promised.isEmpty(group)).toBe(true);
    await promise(store, 7, chunks.slice(0, 2));
    expect(store.promised.isEmpty(group)).toBe(false);
    expect(store.promised.have(group, ids)).toEqual([true, true, false]);
    expect(store.findLive(group, ids)).toEqual([undefined, undefined, undefined]);
    expect(store.promised.boxesOf(group, ids)).toEqual([7, 7, undefined]);
    // Asking makes no rows.
    expect(store.overlay.size).toBe(0);
    const refused = await put(page);
    expect([...refused.statuses]).toEqual([RecordStatus.waits]);
    expect(refused.missing).toEqual([chunks[2]!.id]);
    expect([...(await put(chunks[2]!, page)).statuses]).toEqual([RecordStatus.stored, RecordStatus.stored]);
    await store.flush(() => undefined);
    const refs = store.index.refsOf(ordinalOf(store, page.id)!);
    expect(refs).toEqual(chunks.map(({ id }) => ordinalOf(store, id)));
    expect(store.index.promised.get(refs[0]!)).toMatchObject({ box: 7, group, id: chunks[0]!.id });
    // An honest copy takes the row, in the overlay and in the database.
    expect([...(await put(chunks[0]!)).statuses]).toEqual([RecordStatus.stored]);
    expect(ordinalOf(store, chunks[0]!.id)).toBe(refs[0]);
    expect(store.findLive(group, ids)).toEqual([refs[0], undefined, refs[2]]);
    await store.flush(() => undefined);
    expect(promisedRows(store)).toEqual({ table: [refs[1]], rows: [refs[1]] });
  });

  test("a box that ends leaves needs, but for what another promises too", async () => {
    const { store, put } = await openStore(scratch());
    cleanups.push(() => store.close());
    const chunks = [plainRecord(), plainRecord()];
    const ids = Buffer.concat(chunks.map(({ id }) => id));
    await promise(store, 1, chunks);
    await promise(store, 2, chunks.slice(1));
    await put(
      plainRecord(
        50,
        chunks.map(({ id }) => id),
      ),
    );
    await closeBox(store, 1);
    expect(store.promised.have(group, ids)).toEqual([false, true]);
    expect(store.promised.boxesOf(group, ids)).toEqual([undefined, 2]);
    expect([
      ...(
        await put(
          plainRecord(
            51,
            chunks.map(({ id }) => id),
          ),
        )
      ).statuses,
    ]).toEqual([RecordStatus.waits]);
    await closeBox(store, 2);
    expect(store.promised.have(group, ids)).toEqual([false, false]);
    expect(promisedRows(store).rows).toHaveLength(2);
    expect([...(await put(...chunks)).statuses]).toEqual([RecordStatus.stored, RecordStatus.stored]);
    await store.flush(() => undefined);
    expect(promisedRows(store)).toEqual({ table: [], rows: [] });
  });

  test("what was acknowledged is there again after stops at any moment, with all that it rests on", async () => {
    const command = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant("page" as const),
          from: fc.nat(30),
          count: fc.integer({ min: 1, max: 8 }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("chunk" as const), from: fc.nat(39) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("flush" as const), fails: fc.boolean() }) },
      { weight: 2, arbitrary: fc.constant({ do: "crash" as const }) },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constant("close" as const),
          box: fc.integer({ min: 1, max: 2 }),
          fails: fc.boolean(),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 25 }), async (commands) => {
        const directory = mkdtempSync(join(tmpdir(), "holdfast-promised-"));
        const chunks = Array.from({ length: 40 }, () => plainRecord(60));
        const here = new Set<PlainRecord>();
        /** Pages that were acknowledged, with what they rest on. */
        const pages = new Map<PlainRecord, readonly PlainRecord[]>();
        // The first promises the lower three quarters, the second the upper half.
        const lists = new Map([
          [1, chunks.slice(0, 30)],
          [2, chunks.slice(20)],
        ]);
        let opened = await openStore(directory);
        try {
          for (const [box, list] of lists) await promise(opened.store, box, list);
          const isPromised = (chunk: PlainRecord): boolean =>
            [...lists.values()].some((list) => list.includes(chunk));
          for (const command of commands) {
            const { store, put } = opened;
            if (command.do === "page") {
              const below = chunks.slice(command.from, command.from + command.count);
              const page = plainRecord(
                40,
                below.map(({ id }) => id),
              );
              const [status] = (await put(page)).statuses;
              const admitted = below.every((chunk) => here.has(chunk) || isPromised(chunk));
              expect(status).toBe(admitted ? RecordStatus.stored : RecordStatus.waits);
              if (admitted) pages.set(page, below);
            } else if (command.do === "chunk") {
              const chunk = chunks[command.from]!;
              const [status] = (await put(chunk)).statuses;
              expect(status).toBe(here.has(chunk) ? RecordStatus.present : RecordStatus.stored);
              here.add(chunk);
            } else if (command.do === "flush") {
              const flushed = store.flush(() => {
                if (command.fails) throw new Error("planned");
              });
              await (command.fails ? expect(flushed).rejects.toThrow("planned") : flushed);
            } else if (command.do === "crash") {
              await crash(opened);
              opened = await openStore(directory);
            } else if (lists.has(command.box)) {
              const closing = store.promises.close(command.box, async (change) => {
                await store.flush(() => {
                  change();
                  if (command.fails) throw new Error("planned");
                });
              });
              await (command.fails ? expect(closing).rejects.toThrow("planned") : closing);
              if (!command.fails) lists.delete(command.box);
            }
            const now = opened.store;
            const ids = Buffer.concat(chunks.map(({ id }) => id));
            expect(now.promised.have(group, ids)).toEqual(
              chunks.map((chunk) => here.has(chunk) || isPromised(chunk)),
            );
            expect(now.findLive(group, ids).map((ordinal) => ordinal !== undefined)).toEqual(
              chunks.map((chunk) => here.has(chunk)),
            );
          }
          const { store } = opened;
          await store.flush(() => undefined);
          for (const [page, below] of pages) {
            const ordinal = ordinalOf(store, page.id);
            expect(ordinal).toBeDefined();
            expect(store.index.refsOf(ordinal!)).toEqual(below.map(({ id }) => ordinalOf(store, id)));
          }
          const { table, rows } = promisedRows(store);
          expect(table).toEqual(rows);
        } finally {
          await opened.store.close();
          rmSync(directory, { recursive: true, force: true });
        }
      }),
      { numRuns: 30 },
    );
  });

  test("promised rows do not fill the room that the overlay has for records", async () => {
    const { store } = await openStore(scratch());
    cleanups.push(() => store.close());
    const overlay = new IndexOverlay(store.index, store.packs, { rowsMax: 10 });
    const ids = Array.from({ length: 2000 }, () => randomBytes(32));
    const ordinals = ids.map((id) => overlay.promise(group, id, 1));
    expect(new Set(ordinals).size).toBe(ids.length);
    expect([overlay.full, overlay.wantsFlush]).toEqual([false, true]);
    const place = { pack: 0, offset: 96, length: 100, type: 1, writer: 0 };
    for (const id of ids.slice(0, 10)) expect(overlay.admit(group, id, place).added).toBe(true);
    expect(overlay.full).toBe(true);
    await overlay.flush();
    expect([overlay.full, overlay.size]).toEqual([false, 0]);
    expect(promisedRows(store).table).toEqual(ordinals.slice(10));
    expect(promisedRows(store).rows).toEqual(ordinals.slice(10));
    expect(ids.map((id) => store.index.lookup(group, id)?.ordinal)).toEqual(ordinals);
  });
});
