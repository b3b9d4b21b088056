import fc from "fast-check";
import { expect, test } from "vitest";
import { AddressRules, AddressSet, realAddress } from "../../../gateway/auth/addressLists.ts";
import { parseSettings } from "../../../gateway/settings.ts";
import { isHoldfastError } from "../../../vault/errors.ts";

test("deny goes before allow, networks of both versions count, and IPv4 in IPv6's clothes is IPv4", () => {
  const rules = new AddressRules({ allow: ["192.0.2.0/24", "2001:db8::/32"], deny: ["192.0.2.7"] });
  const admitted = ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:1::5", "2001:db8::1%eth0"];
  const refused = ["192.0.2.7", "::ffff:192.0.2.7", "198.51.100.1", "2001:db9::1", "", "no address"];
  for (const address of admitted) expect([address, rules.admits(address)]).toEqual([address, true]);
  for (const address of refused) expect([address, rules.admits(address)]).toEqual([address, false]);
  expect(new AddressRules({ allow: [], deny: ["0.0.0.0/0"] }).admits("::1")).toBe(true);
  expect(new AddressRules({ allow: [], deny: ["::/0"] }).admits("192.0.2.1")).toBe(true);
  expect(new AddressRules({ allow: [], deny: [] }).admits("anything")).toBe(true);
});

test("a row that is none is named, in config.toml with its key", () => {
  for (const row of [
    "",
    "192.0.2",
    "192.0.2.1/33",
    "::1/129",
    "example.com",
    "192.0.2.1 ",
    "1.2.3.4/",
    "::/-1",
  ]) {
    expect(() => new AddressSet([row], "deny")).toThrow(`deny: ${JSON.stringify(row)}`);
  }
  expect(() => parseSettings('allow = ["x"]')).toThrow("config.toml: allow");
  expect(() => parseSettings("allow = [1]")).toThrow("config.toml: allow");
  expect(() => parseSettings("deny = {}")).toThrow("config.toml: deny");
  expect(() => parseSettings('trusted-proxies = "::1"')).toThrow("trusted-proxies");
  expect(parseSettings('trusted-proxies = ["::1"]').trustedProxies).toEqual(["::1"]);
});

test("X-Forwarded-For is read from its end, as far as trusted proxies wrote it", () => {
  const trusted = new AddressSet(["10.0.0.0/8"], "t");
  const real = (peer: string, forwarded?: string) => realAddress(peer, forwarded, trusted);
  expect(real("10.0.0.1", "192.0.2.1")).toBe("192.0.2.1");
  expect(real("10.0.0.1", "203.0.113.5, 192.0.2.1, 10.2.3.4")).toBe("192.0.2.1");
  expect(real("10.0.0.1", "10.9.9.9")).toBe("10.9.9.9");
  expect(real("10.0.0.1")).toBe("10.0.0.1");
  // Who is no proxy may say what it likes.
  expect(real("198.51.100.1", "10.0.0.1, 192.0.2.1")).toBe("198.51.100.1");
  expect(real("10.0.0.1", "192.0.2.1, unknown")).toBe("10.0.0.1");
  expect(realAddress("10.0.0.1", "192.0.2.1", undefined)).toBe("10.0.0.1");
});

test("fuzz: any text is a list or a usage error, and no header names what a proxy did not write", () => {
  const trusted = new AddressSet(["10.0.0.1"], "t");
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.ipV4(),
        fc.ipV6(),
        fc.tuple(fc.ipV4(), fc.nat(200)).map((pair) => pair.join("/")),
      ),
      (text) => {
        try {
          new AddressRules({ allow: [text], deny: [] }).admits(text);
        } catch (error) {
          expect(isHoldfastError(error)).toBe(true);
        }
        expect(realAddress("192.0.2.1", text, trusted)).toBe("192.0.2.1");
        expect(realAddress("10.0.0.1", `${text}, 192.0.2.9`, trusted)).toBe("192.0.2.9");
      },
    ),
  );
});
