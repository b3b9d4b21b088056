import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NoProxy } from "../../../ingest/line/noProxy.ts";
import { HttpProxy, Proxies } from "../../../ingest/line/proxies.ts";
import { ErrorCode } from "../../../vault/errors.ts";

describe("exceptions", () => {
  test.each([
    ["example.org", "example.org", true],
    ["example.org", "a.b.Example.ORG.", true],
    ["example.org", "notexample.org", false],
    [".example.org", "example.org", true],
    ["*.example.org", "a.example.org", true],
    ["example.org.", "a.example.org", true],
    ["a, b\tc  d", "c", true],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.70", false],
    ["2.7", "192.0.2.7", false],
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["0.0.0.0/0", "198.51.100.1", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["192.0.2.0/33", "192.0.2.0", false],
    ["192.0.2.0/24/1", "192.0.2.0", false],
    ["2001:db8::/32", "[2001:db8:ffff::1]", true],
    ["2001:db8::/32", "2001:db9::1", false],
    ["2001:0db8:0:0:0:0:0:7", "2001:db8::7", true],
    ["[2001:db8::7]", "2001:db8::7", true],
    ["example.org:443", "example.org", true],
    ["example.org:80", "example.org", false],
    ["[2001:db8::7]:443", "2001:db8::7", true],
    ["[2001:db8::7]:80", "2001:db8::7", false],
    ["192.0.2.0/24:443", "192.0.2.9", true],
    ["*", "anything", true],
    ["a,*", "anything", true],
    ["*a", "a", false],
    ["http://a", "a", false],
    ["", "a", false],
    [",,.", "", false],
  ])("%j and %j: %j", (list, host, covered) => {
    expect(new NoProxy(list).covers(host, 443)).toBe(covered);
  });
});

test("any list of exceptions can be read, and covers what it names", () => {
  const piece = fc.constantFrom(
    "a.b",
    ".",
    "*",
    "[",
    "]",
    ":",
    "/",
    "::1",
    "1.2.3.4",
    "33",
    ",",
    " ",
    "%",
    "-",
  );
  const list = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.array(piece, { maxLength: 10 }).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(list, fc.constantFrom("a.b", "x.a.b", "1.2.3.4", "::1", "[::1]", ""), (text, host) => {
      expect(new NoProxy(text).covers(host, 443)).toBe(new NoProxy(text.toUpperCase()).covers(host, 443));
      expect(new NoProxy(`${text},${host}`).covers(host, 443)).toBe(
        host !== "" || new NoProxy(text).covers(host, 443),
      );
    }),
  );
});

describe("the way to a host", () => {
  const to = (settings: object, environment: object, host = "backup.example", secure = true) =>
    new Proxies(settings, environment as Record<string, string>).to(host, 7440, secure)?.name;

  test("settings count before the environment, and small letters before capitals", () => {
    const environment = { https_proxy: "a:1", HTTPS_PROXY: "http://b:2", ALL_PROXY: "c:3" };
    expect(to({}, environment)).toBe("a:1");
    expect(to({}, { ...environment, https_proxy: undefined })).toBe("b:2");
    expect(to({}, { ...environment, https_proxy: "" })).toBe(undefined);
    expect(to({}, { all_proxy: "d", ALL_PROXY: "c:3" })).toBe("d:80");
    expect(to({ proxy: "http://[2001:db8::1]:8080" }, environment)).toBe("[2001:db8::1]:8080");
    expect(to({ proxy: "none" }, environment)).toBe(undefined);
    expect(to({}, { ...environment, NO_PROXY: "example" })).toBe(undefined);
    expect(to({}, { ...environment, NO_PROXY: "example", no_proxy: "" })).toBe("a:1");
    expect(to({ proxy: "s:9" }, { NO_PROXY: "backup.example" })).toBe(undefined);
    expect(to({ proxy: "s:9", noProxy: "other" }, { NO_PROXY: "backup.example" })).toBe("s:9");
  });

  test("without TLS another variable counts, which a web server cannot set", () => {
    const environment = { HTTPS_PROXY: "a:1", HTTP_PROXY: "b:2" };
    expect(to({}, environment, "s3.example", false)).toBe(undefined);
    expect(to({}, { ...environment, http_proxy: "c:3" }, "s3.example", false)).toBe("c:3");
  });

  test.each(["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "a.localhost."])(
    "a proxy of the environment does not lead to %s, one of the settings does",
    (host) => {
      expect(to({}, { HTTPS_PROXY: "a:1" }, host)).toBe(undefined);
      expect(to({ proxy: "a:1" }, {}, host)).toBe("a:1");
      expect(to({ proxy: "a:1", noProxy: "127.0.0.0/8 ::1 localhost" }, {}, host)).toBe(undefined);
    },
  );

  test.each([
    "https://proxy:1",
    "socks5://proxy:1",
    "http://proxy:1/path",
    "http://proxy:99999",
    "http://",
    "http://a:%zz@proxy:1",
    "a b",
  ])("%j is refused, and not repeated", (text) => {
    for (const work of [
      () => new Proxies({ proxy: text }, {}),
      () => new Proxies({}, { HTTPS_PROXY: text }).to("h", 1),
    ]) {
      expect(work).toThrow(expect.objectContaining({ code: ErrorCode.usage }));
      expect(work).not.toThrow(text.slice(-9));
    }
    // One that leads nowhere harms nobody.
    expect(new Proxies({}, { HTTPS_PROXY: text, NO_PROXY: "*" }).to("h", 1)).toBe(undefined);
  });

  test("credentials are in the header alone", () => {
    const proxy = HttpProxy.parse("http://al%3Aice:p%40ss%25@proxy:3128", "");
    expect(proxy.authorization()).toBe(`Basic ${Buffer.from("al:ice:p@ss%").toString("base64")}`);
    expect(proxy.name).toBe("proxy:3128");
    for (const shown of [
      inspect(proxy, { depth: 9, showHidden: true }),
      JSON.stringify(proxy),
      `${proxy.name}`,
    ])
      expect(shown).not.toMatch(/p@ss|p%40|YWw6/);
    expect(HttpProxy.parse("proxy:3128", "").authorization()).toBe(undefined);
  });
});
