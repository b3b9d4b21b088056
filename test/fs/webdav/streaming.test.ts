// Long answers: made page by page, only as far as somebody takes them, a bounded number at a time.

import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { DirectoryPage, View, ViewNode } from "../../../fs/view/view.ts";
import type { WebAnswer } from "../../../fs/view/webPort.ts";
import { Slots } from "../../../fs/webdav/slots.ts";
import { webDavLimits } from "../../../fs/webdav/webDav.ts";
import { directory, file, type MemoryView, sparseFile } from "../memoryView.ts";
import { answerOf, ask, bodyOf, davOver, hrefs, namespaceOf, top } from "./asking.ts";

/** A view whose snapshot's root has so many rows, made when they are asked for. */
function endless(rows: number): { readonly view: View; readonly pages: () => number } {
  const inner = namespaceOf(directory([["x", file("x")]]));
  let pages = 0;
  const leaf = file("x");
  const root = (node: ViewNode): boolean => node.immutable && node.attributes.kind === "directory";
  const readPage = async (node: ViewNode, from: bigint, rowsMax: number): Promise<DirectoryPage> => {
    if (!root(node)) return inner.readPage(node, from, rowsMax);
    pages++;
    const end = Math.min(rows, Number(from) + rowsMax);
    const shown = Array.from({ length: end - Number(from) }, (_, at) => ({
      name: Buffer.from(`file ${Number(from) + at}`),
      node: leaf,
    }));
    return { rows: shown, next: end < rows ? BigInt(end) : undefined };
  };
  const view = new Proxy<View>(inner, {
    get: (_target, key) => {
      if (key === "readPage") return readPage;
      const value = inner[key as keyof MemoryView];
      return typeof value === "function" ? value.bind(inner) : value;
    },
  });
  return { view, pages: () => pages };
}

const depth1 = { headers: { depth: "1" } };

function stream(answer: WebAnswer): AsyncIterator<Buffer> {
  if (answer.body === undefined || Buffer.isBuffer(answer.body)) throw new Error("not a stream");
  return answer.body[Symbol.asyncIterator]();
}

test("a directory of 200,000 entries comes in small pieces, and other work has its turn between them", async () => {
  const { view } = endless(200_000);
  const answer = await answerOf(davOver(view), "PROPFIND", top, depth1);
  let pieces = 0;
  let rows = 0;
  let turns = 0;
  let running = true;
  const other = (async () => {
    while (running) {
      await turn();
      turns++;
    }
  })();
  for await (const piece of answer.body as AsyncIterable<Buffer>) {
    pieces++;
    expect(piece.length).toBeLessThan(512 * 1024);
    rows += piece.toString().split("<D:response>").length - 1;
  }
  running = false;
  await other;
  expect(rows).toBe(200_001);
  expect(turns).toBeGreaterThan(pieces / 2);
});

test("nothing is made ahead of a client that does not take it, and nothing after it left", async () => {
  for (const encoding of ["identity", "gzip"]) {
    const { view, pages } = endless(10_000_000);
    const headers = { depth: "1", "accept-encoding": encoding };
    const pieces = stream(await answerOf(davOver(view), "PROPFIND", top, { headers }));
    await pieces.next();
    for (let at = 0; at < 500; at++) await turn();
    const ahead = pages();
    // A compressor holds some pages; the rest of ten million rows waits.
    expect(ahead).toBeLessThan(400);
    await pieces.return?.();
    for (let at = 0; at < 500; at++) await turn();
    expect(pages()).toBeLessThanOrEqual(ahead + 1);
  }
});

test("so many listings of an account at a time, and no leak when clients leave", async () => {
  const { view } = endless(100_000);
  const dav = davOver(view);
  for (let round = 0; round < 3; round++) {
    const open: AsyncIterator<Buffer>[] = [];
    for (let at = 0; at < webDavLimits.listingsPerAccount; at++) {
      const pieces = stream(await answerOf(dav, "PROPFIND", top, depth1));
      await pieces.next();
      open.push(pieces);
    }
    const gone = new AbortController();
    const left = stream(await answerOf(dav, "PROPFIND", top, { ...depth1, signal: gone.signal })).next();
    const late = stream(await answerOf(dav, "PROPFIND", top, depth1));
    let begun = false;
    const waiting = late.next().then(() => {
      begun = true;
    });
    for (let at = 0; at < 20; at++) await turn();
    expect(begun).toBe(false);
    // Short answers need no place in the queue.
    expect((await ask(dav, "PROPFIND", top, { headers: { depth: "0" } })).status).toBe(207);
    gone.abort();
    await expect(left).rejects.toMatchObject({ code: "cancelled" });
    await open.pop()?.return?.();
    await waiting;
    await Promise.all([late, ...open].map((pieces) => pieces.return?.()));
  }
});

test("one owner cannot take every slot, and slots go round in order", async () => {
  const slots = new Slots(3, 2);
  const { signal } = new AbortController();
  const order: string[] = [];
  const take = (owner: string, name: string) =>
    slots.take(owner, signal).then((free) => {
      order.push(name);
      return free;
    });
  const first = await take("a", "a1");
  await take("a", "a2");
  const third = take("a", "a3");
  const other = await take("b", "b1");
  const second = take("b", "b2");
  await turn();
  expect(order).toEqual(["a1", "a2", "b1"]);
  other();
  other(); // once is once
  await second;
  first();
  await third;
  expect(order).toEqual(["a1", "a2", "b1", "b2", "a3"]);
  await expect(slots.take("c", AbortSignal.abort())).rejects.toMatchObject({ code: "cancelled" });
});

test("a file is read a block ahead of its client and no further", async () => {
  const size = 2n ** 40n;
  const view = namespaceOf(directory([["disk.img", sparseFile(size, [])]]));
  const answer = await answerOf(davOver(view), "GET", `${top}/disk.img`);
  expect(answer.headers["content-length"]).toBe(String(size));
  const pieces = stream(answer);
  for (let at = 0; at < 3; at++) {
    const { value } = await pieces.next();
    expect(value.length).toBe(2 ** 20);
  }
  for (let at = 0; at < 50; at++) await turn();
  expect(view.counts.read).toBeLessThanOrEqual(4);
  await pieces.return?.();
});

test("a failure in the first block has its own status; a later one cuts the stream", async () => {
  const view = namespaceOf(directory([["f", sparseFile(5n * 2n ** 20n, [])]]));
  const { HoldfastError } = await import("../../../vault/errors.ts");
  const damaged = (from: bigint) => (_node: ViewNode, offset: bigint) => {
    if (offset >= from) throw new HoldfastError("chunk-damaged", "chunk 12 is damaged");
  };
  view.beforeRead = damaged(0n);
  const first = await ask(davOver(view), "GET", `${top}/f`);
  expect([first.status, first.text]).toEqual([500, "chunk 12 is damaged\n"]);
  view.beforeRead = damaged(3n * 2n ** 20n);
  const later = await answerOf(davOver(view), "GET", `${top}/f`);
  expect(later.status).toBe(200);
  await expect(bodyOf(later)).rejects.toMatchObject({ code: "chunk-damaged" });
  // Ranges that do not touch the damage are whole.
  const range = await ask(davOver(view), "GET", `${top}/f`, { headers: { range: "bytes=1048576-3145727" } });
  expect([range.status, range.body.length]).toEqual([206, 2 ** 21]);
});

test("a listing that breaks in the middle does not end as if it were whole", async () => {
  const { view } = endless(1000);
  const broken = new Proxy(view, {
    get: (target, key) =>
      key === "readPage"
        ? async (node: ViewNode, from: bigint, rows: number) => {
            if (from > 0n) throw new Error("disk fell off");
            return target.readPage(node, from, rows);
          }
        : target[key as keyof View],
  });
  for (const encoding of ["identity", "gzip"]) {
    const headers = { depth: "1", "accept-encoding": encoding };
    const answer = await answerOf(davOver(broken), "PROPFIND", top, { headers });
    expect(answer.status).toBe(207);
    await expect(bodyOf(answer)).rejects.toThrow("disk fell off");
  }
  expect(hrefs(await ask(davOver(view), "PROPFIND", top, depth1)).length).toBe(1001);
});
