import fc from "fast-check";
import { expect, test } from "vitest";
import type { WebRequest } from "../../../fs/view/webPort.ts";
import { httpDate, parseHttpDate } from "../../../fs/webdav/httpDate.ts";
import { checkConditions, rangeCounts } from "../../../fs/webdav/validators.ts";
import { file } from "../memoryView.ts";

const etag = '"abc"';
const lastModified = "Sun, 06 Nov 1994 08:49:37 GMT";
const validators = { etag, lastModified };
const check = (headers: WebRequest["headers"]) => checkConditions(headers, validators);

test.each([
  [{}, "go-on"],
  [{ "if-match": '"abc"' }, "go-on"],
  [{ "if-match": '"x", "abc"' }, "go-on"],
  [{ "if-match": "*" }, "go-on"],
  [{ "if-match": '"x"' }, "failed"],
  [{ "if-match": 'W/"abc"' }, "failed"],
  [{ "if-match": "" }, "failed"],
  [{ "if-none-match": '"abc"' }, "not-modified"],
  [{ "if-none-match": 'W/"abc"' }, "not-modified"],
  [{ "if-none-match": '"a", W/"abc"' }, "not-modified"],
  [{ "if-none-match": ["*"] }, "not-modified"],
  [{ "if-none-match": '"x"' }, "go-on"],
  [{ "if-none-match": "abc" }, "go-on"],
  // An ETag is asked before a date, and the date then does not count.
  [{ "if-none-match": '"x"', "if-modified-since": lastModified }, "go-on"],
  [{ "if-match": '"abc"', "if-unmodified-since": "Sun, 06 Nov 1994 08:49:36 GMT" }, "go-on"],
  [{ "if-modified-since": lastModified }, "not-modified"],
  [{ "if-modified-since": "Sunday, 06-Nov-94 08:49:37 GMT" }, "not-modified"],
  [{ "if-modified-since": "Sun Nov  6 08:49:37 1994" }, "not-modified"],
  [{ "if-modified-since": "Sun, 06 Nov 1994 08:49:36 GMT" }, "go-on"],
  [{ "if-modified-since": "yesterday" }, "go-on"],
  [{ "if-modified-since": "2030" }, "go-on"],
  [{ "if-unmodified-since": lastModified }, "go-on"],
  [{ "if-unmodified-since": "Sun, 06 Nov 1994 08:49:36 GMT" }, "failed"],
  [{ "if-unmodified-since": "never" }, "go-on"],
] as const)("%o: %s", (headers, outcome) => {
  expect(check(headers)).toBe(outcome);
});

test("If-Range takes the one strong ETag, and a date only where the address is settled", () => {
  const node = file("x");
  const resource = (direct: boolean) => ({
    path: [Buffer.from("x")],
    kind: "file" as const,
    node,
    attributes: node.attributes,
    size: 1,
    chain: [],
    direct,
  });
  const counts = (ifRange: string, direct = true) =>
    rangeCounts({ "if-range": ifRange }, resource(direct), validators);
  expect(rangeCounts({}, resource(false), validators)).toBe(true);
  expect(counts(etag)).toBe(true);
  expect(counts(etag, false)).toBe(true);
  expect(counts('"other"')).toBe(false);
  expect(counts(`W/${etag}`)).toBe(false);
  expect(counts(lastModified)).toBe(true);
  expect(counts(lastModified, false)).toBe(false);
  expect(counts("Sun, 06 Nov 1994 08:49:38 GMT")).toBe(false);
});

test("dates go out and come in the same; times without a form have none", () => {
  expect(httpDate(784111777_999_999_999n)).toBe(lastModified);
  expect(httpDate(2n ** 63n)).toBe("Fri, 11 Apr 2262 23:47:16 GMT");
  expect(httpDate(10n ** 24n)).toBeUndefined();
  expect(httpDate(-(10n ** 24n))).toBeUndefined();
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 33 }), (seconds) => {
      const written = httpDate(BigInt(seconds) * 1_000_000_000n);
      expect(written).toMatch(/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/);
      expect(parseHttpDate(written as string)).toBe(seconds);
    }),
  );
});

test("no condition makes it throw", () => {
  const header = fc.option(fc.string({ unit: "binary-ascii", maxLength: 40 }), { nil: undefined });
  const headers = fc.record({
    "if-match": header,
    "if-none-match": header,
    "if-modified-since": header,
    "if-unmodified-since": header,
  });
  fc.assert(fc.property(headers, (given) => void check(given)));
});
