import fc from "fast-check";
import { expect, test } from "vitest";
import { directory, file, node, sparseFile, syntheticByte } from "../memoryView.ts";
import { ask, davOver, namespaceOf, time, top } from "./asking.ts";

const text = "0123456789";
const size = 3 * 2 ** 20 + 17;
const view = namespaceOf(
  directory([
    ["digits.txt", file(text)],
    ["empty", file("")],
    ["big", sparseFile(BigInt(size), [{ offset: 0n, length: BigInt(size) }])],
    ["page.HTML", file("<script>alert(1)</script>")],
    ["picture.svg", file("<svg/>")],
    ["photo.JPG", file("")],
    [".profile", file("")],
    ["a.constructor", file("")],
  ]),
  ["latest", node("symlink", {}, { target: Buffer.from(time) })],
);
const dav = davOver(view);
const get = (name: string, headers = {}) => ask(dav, "GET", `${top}/${name}`, { headers });

test("a whole file with what a client needs to keep it", async () => {
  const { status, headers, text: body } = await get("digits.txt");
  expect([status, body]).toEqual([200, text]);
  expect(headers).toMatchObject({
    "content-length": "10",
    "accept-ranges": "bytes",
    "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT",
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "private, no-cache",
  });
  expect(headers.etag).toMatch(/^"[\w-]+"$/);
  const head = await ask(dav, "HEAD", `${top}/digits.txt`);
  expect([head.status, head.headers, head.body.length]).toEqual([200, headers, 0]);
  expect((await get("empty")).headers["content-length"]).toBe("0");
});

test("nothing archived can act as the gateway in a browser", async () => {
  for (const name of ["page.HTML", "picture.svg", "photo.JPG", ".profile", "a.constructor", "digits.txt"]) {
    const { headers } = await get(name);
    expect(headers["content-security-policy"]).toBe("sandbox; default-src 'none'");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["content-type"]).not.toMatch(/html|svg|xml|script/);
  }
  expect((await get("photo.JPG")).headers["content-type"]).toBe("image/jpeg");
  expect((await get("a.constructor")).headers["content-type"]).toBe("application/octet-stream");
});

test("ranges", async () => {
  const part = await get("digits.txt", { range: "bytes=2-4" });
  expect([part.status, part.text]).toEqual([206, "234"]);
  expect(part.headers).toMatchObject({ "content-range": "bytes 2-4/10", "content-length": "3" });
  expect((await get("digits.txt", { range: "bytes=8-99" })).headers["content-range"]).toBe("bytes 8-9/10");
  expect((await get("digits.txt", { range: "bytes=-4" })).text).toBe("6789");
  for (const [name, range] of [
    ["digits.txt", "bytes=10-"],
    ["empty", "bytes=0-"],
  ] as const) {
    const outside = await get(name, { range });
    expect(outside.status).toBe(416);
    expect(outside.headers["content-range"]).toBe(`bytes */${name === "empty" ? 0 : 10}`);
  }
  for (const range of ["bytes=0-1,5-6", "bytes=5-2", "lines=1-2"]) {
    expect((await get("digits.txt", { range })).status).toBe(200);
  }
  const head = await ask(dav, "HEAD", `${top}/digits.txt`, { headers: { range: "bytes=2-4" } });
  expect([head.status, head.headers["content-length"]]).toEqual([200, "10"]);
});

test("any range of a file over block borders is what is there", async () => {
  const near = fc.oneof(
    fc.nat(size),
    fc.constantFrom(0, 1, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 2 ** 21, size - 1),
  );
  await fc.assert(
    fc.asyncProperty(near, near, async (a, b) => {
      const [first, last] = [Math.min(a, b), Math.max(a, b)];
      const { status, body, headers } = await get("big", { range: `bytes=${first}-${last}` });
      if (first >= size) {
        expect(status).toBe(416);
        return;
      }
      expect(status).toBe(206);
      const end = Math.min(last, size - 1);
      expect(headers["content-range"]).toBe(`bytes ${first}-${end}/${size}`);
      expect(body.length).toBe(end - first + 1);
      expect([body[0], body.at(-1)]).toEqual([syntheticByte(first), syntheticByte(end)]);
      const middle = Math.floor(body.length / 2);
      expect(body[middle]).toBe(syntheticByte(first + middle));
    }),
    { numRuns: 60 },
  );
});

test("conditions", async () => {
  const { etag, "last-modified": modified } = (await get("digits.txt")).headers;
  const fresh = await get("digits.txt", { "if-none-match": etag });
  expect([fresh.status, fresh.body.length, fresh.headers.etag]).toEqual([304, 0, etag]);
  expect(fresh.headers["content-length"]).toBeUndefined();
  expect((await get("digits.txt", { "if-modified-since": modified })).status).toBe(304);
  expect((await get("digits.txt", { "if-match": '"other"' })).status).toBe(412);
  expect((await get("digits.txt", { "if-match": etag, range: "bytes=0-0" })).status).toBe(206);
  // A condition that fails is told before a range that does.
  expect((await get("digits.txt", { "if-match": '"other"', range: "bytes=99-" })).status).toBe(412);
  expect((await get("digits.txt", { "if-range": etag, range: "bytes=0-0" })).status).toBe(206);
  expect((await get("digits.txt", { "if-range": '"other"', range: "bytes=99-" })).status).toBe(200);
  expect((await get("digits.txt", { "if-range": modified, range: "bytes=0-0" })).status).toBe(206);
  // Under `latest`, the same second may hold other bytes tomorrow.
  const latest = await ask(dav, "GET", "/dav/alice/pc/files/latest/digits.txt", {
    headers: { "if-range": modified, range: "bytes=0-0" },
  });
  expect(latest.status).toBe(200);
});

test("OPTIONS tells what there is, without an account", () => {
  for (const target of ["/", "*", "/dav", `${top}/none`]) {
    const answer = dav.answerAnybody({
      method: "OPTIONS",
      target,
      headers: {},
      body: (async function* () {})(),
      signal: new AbortController().signal,
    });
    expect(answer).toMatchObject({
      status: 200,
      headers: { dav: "1", "ms-author-via": "DAV", allow: "OPTIONS, GET, HEAD, PROPFIND" },
    });
  }
});

test("whatever would change something is 403 for anybody; what nobody knows is 405", async () => {
  for (const method of "PUT POST DELETE MKCOL COPY MOVE PROPPATCH LOCK UNLOCK PATCH".split(" ")) {
    const answer = await ask(dav, method, `${top}/digits.txt`, { scope: { account: "nobody", read: [] } });
    expect([method, answer.status]).toEqual([method, 403]);
  }
  for (const method of ["REPORT", "SEARCH", "TRACE"]) {
    const answer = await ask(dav, method, top);
    expect([answer.status, answer.headers.allow]).toEqual([405, "OPTIONS, GET, HEAD, PROPFIND"]);
  }
});
