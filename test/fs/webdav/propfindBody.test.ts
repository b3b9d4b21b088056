import fc from "fast-check";
import { expect, test } from "vitest";
import { type PropfindBody, parsePropfind, propfindLimits } from "../../../fs/webdav/propfindBody.ts";
import { isHoldfastError } from "../../../vault/errors.ts";

const parse = (text: string): PropfindBody => parsePropfind(Buffer.from(text));
const dav = (local: string) => ({ namespace: "DAV:", local });

test("what the RFC has", () => {
  expect(parse("")).toEqual({ ask: "allprop", include: [] });
  expect(parse(" \r\n")).toEqual({ ask: "allprop", include: [] });
  expect(parse('<propfind xmlns="DAV:"><allprop/></propfind>')).toEqual({ ask: "allprop", include: [] });
  expect(parse('<a:propfind xmlns:a="DAV:"><a:propname/></a:propfind>')).toEqual({ ask: "propname" });
  expect(
    parse('<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><D:displayname/></D:include></D:propfind>'),
  ).toEqual({ ask: "allprop", include: [dav("displayname")] });
  expect(
    parse(
      '<?xml version="1.0" encoding="utf-8"?>\n<D:propfind xmlns:D="DAV:" xmlns:b="urn:b"><D:prop><D:getetag/><b:x/><y xmlns=""/>' +
        "<D:getetag/></D:prop></D:propfind>",
    ),
  ).toEqual({
    ask: "prop",
    names: [dav("getetag"), { namespace: "urn:b", local: "x" }, { namespace: "", local: "y" }],
  });
  // What a property holds, and what nobody knows, is skipped (RFC 4918, section 17).
  expect(
    parse(
      '<propfind xmlns="DAV:"><wild>w</wild><prop><a><b/></a><c/></prop><more xmlns="urn:m"/></propfind>',
    ),
  ).toEqual({ ask: "prop", names: [dav("a"), dav("c")] });
});

test("UTF-16 with its mark", () => {
  const text = '<propfind xmlns="DAV:"><prop><\u00fcber/></prop></propfind>';
  const little = Buffer.from(`\ufeff${text}`, "utf16le");
  for (const body of [little, Buffer.from(little).swap16(), Buffer.from(`\ufeff${text}`)]) {
    expect(parsePropfind(body)).toEqual({ ask: "prop", names: [dav("\u00fcber")] });
  }
});

test.each([
  ["not XML", "hello"],
  ["not closed", '<D:propfind xmlns:D="DAV:"><D:prop>'],
  ["crossed", '<D:propfind xmlns:D="DAV:"><D:prop></D:propfind></D:prop>'],
  ["an unknown prefix", "<D:propfind/>"],
  ["an emptied prefix", '<D:propfind xmlns:D="DAV:"><D:prop><bar:foo xmlns:bar=""/></D:prop></D:propfind>'],
  ["another root", '<D:propertyupdate xmlns:D="DAV:"/>'],
  ["another namespace", '<propfind xmlns="DAV"><allprop/></propfind>'],
  ["nothing asked", '<propfind xmlns="DAV:"/>'],
  ["two things asked", '<propfind xmlns="DAV:"><allprop/><propname/></propfind>'],
  ["two roots", '<propfind xmlns="DAV:"><allprop/></propfind><x/>'],
  ["a DOCTYPE", '<!DOCTYPE p [<!ENTITY a "b">]><propfind xmlns="DAV:"><allprop/></propfind>'],
  ["an unknown entity", '<propfind xmlns="DAV:"><prop><a>&b;</a></prop></propfind>'],
  ["a control character", '<propfind xmlns="DAV:"><prop><a>\u0001</a></prop></propfind>'],
])("400: %s", (_what, text) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ code: "usage" }));
});

test("400: bytes that are no UTF-8", () => {
  expect(() => parsePropfind(Buffer.from([0x3c, 0xff, 0x3e]))).toThrow(
    expect.objectContaining({ code: "usage" }),
  );
});

test("too many properties, attributes and levels are refused", () => {
  const many = Array.from({ length: propfindLimits.properties + 1 }, (_, at) => `<p${at}/>`).join("");
  const attributes = Array.from({ length: 200 }, (_, at) => ` a${at}=""`).join("");
  for (const inner of [many, "<d>".repeat(80) + "</d>".repeat(80), `<p${attributes}/>`]) {
    expect(() => parse(`<propfind xmlns="DAV:"><prop>${inner}</prop></propfind>`)).toThrow(
      expect.objectContaining({ code: "limit-exceeded" }),
    );
  }
});

test("whatever comes, it is parsed or refused with a code", () => {
  const token = fc.constantFrom(
    '<propfind xmlns="DAV:">',
    "</propfind>",
    "<prop>",
    "</prop>",
    "<a/>",
    "<a b='c'>",
    "</a>",
    "<!DOCTYPE x>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?x?>",
    "&amp;",
    "&x;",
    "xmlns:b='u'",
    "<",
    ">",
    "\u0000",
    "\ud800",
    " ",
  );
  const body = fc.oneof(
    fc.array(token, { maxLength: 12 }).map((tokens) => Buffer.from(tokens.join(""))),
    fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(body, (bytes) => {
      try {
        parsePropfind(bytes);
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});
