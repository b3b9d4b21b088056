import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeSegment, hrefOf, parseTarget } from "../../../fs/webdav/target.ts";

const pathOf = (target: string): string[] | undefined =>
  parseTarget(target)?.path.map((name) => name.toString("latin1"));

test("targets become the exact bytes of names", () => {
  expect(pathOf("/dav/a%20b/%ff%FE")).toEqual(["dav", "a b", "\xff\xfe"]);
  expect(pathOf("/dav//a/")).toEqual(["dav", "a"]);
  expect(pathOf("/\xc3\xbc")).toEqual(["\xc3\xbc"]);
  expect(pathOf("https://host:8443/dav/x?a=b")).toEqual(["dav", "x"]);
  expect(pathOf("HTTP://host")).toEqual([]);
  expect(pathOf("")).toEqual([]);
  expect(parseTarget("/a?b?c")?.query).toBe("b?c");
  expect(pathOf("/a%3Fb%23c%25d%5C")).toEqual(["a?b#c%d\\"]);
  expect(pathOf("/...")).toEqual(["..."]);
});

test.each([
  "/%",
  "/%f",
  "/%zz",
  "/%0",
  "/%00",
  "/a%2Fb",
  "/..",
  "/a/../b",
  "/%2e%2e/x",
  "/./a",
  "/a#b",
  "*",
  "dav",
])("names nothing: %s", (target) => {
  expect(parseTarget(target)).toBeUndefined();
});

const name = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .filter((bytes) => !bytes.includes(0) && !bytes.includes(0x2f))
  .map((bytes) => Buffer.from(bytes))
  .filter((bytes) => ![".", ".."].includes(bytes.toString("latin1")));

test("every list of names survives its href, which is plain in XML, HTML and headers", () => {
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 5 }), fc.boolean(), (path, collection) => {
      const href = hrefOf(path, collection);
      expect(href).toMatch(/^[A-Za-z0-9._~%/-]+$/);
      expect(parseTarget(href)?.path).toEqual(path);
    }),
  );
});

test("percent codes count in either case and wherever they are not needed", () => {
  fc.assert(
    fc.property(name, (bytes) => {
      const all = Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
      expect(parseTarget(`/${all}`)?.path).toEqual([bytes]);
      expect(parseTarget(`/${all.toUpperCase()}`)?.path).toEqual([bytes]);
      expect(encodeSegment(bytes).length).toBeLessThanOrEqual(all.length);
    }),
  );
});

test("no target makes it throw, and no name comes out that could lead elsewhere", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii", maxLength: 60 }), (target) => {
      for (const segment of parseTarget(`/${target}`)?.path ?? []) {
        expect(segment.length).toBeGreaterThan(0);
        expect(segment.includes(0) || segment.includes(0x2f)).toBe(false);
        expect([".", ".."]).not.toContain(segment.toString("latin1"));
      }
      parseTarget(target);
    }),
  );
});
