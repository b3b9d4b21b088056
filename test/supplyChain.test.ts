// What comes from others, and what must not go out with it: dependencies and secrets, over what is committed. Each checker is first shown to catch
// what was planted.

import { describe, expect, test } from "vitest";
import { readAudit } from "./dependencyAudit.ts";
import { checkDependencies } from "./tidy/dependencies.ts";
import { trackedFiles } from "./tidy/files.ts";
import { checkSecrets } from "./tidy/secrets.ts";

const files = trackedFiles();

/** Looked at: addresses with passwords that a comment and a test make up, and the keys of the test vectors. */
const allowed = {
  "test/gateway/alerts/alertSettings.test.ts": ["2e0e46bfd0fc86fd", "904818f3df5bbd57"],
  "gateway/replica/withoutSecrets.ts": ["be7fbcf303d96519"],
  "appliance/agentLine.ts": ["ec1e67424131dee8"],
  "gateway/proxySettings.ts": ["ec1e67424131dee8"],
  "ingest/line/tunnel.ts": ["ec1e67424131dee8"],
  "test/ingest/line/proxies.test.ts": ["18a296b32583c22e", "7c18de214e028d50"],
  "test/offsite/s3Replication.test.ts": ["7ad39643612f1137"],
  "test/vectors/keys-document.json": ["598d04e8ab931280", "f32c3f72b69b45b8"],
  "test/vectors/escrow.json": ["483b28faf7d69326"],
};
const textOf = (path: string): string => files.find((file) => file.path === path)?.text ?? "";

describe("dependencies", () => {
  const sound = { version: "1.0.0", integrity: `sha512-${"A".repeat(86)}==`, license: "MIT" };
  const npmrc = "ignore-scripts=true\n";
  const check = (entry: object, manifest: object = {}, settings = npmrc): string[] =>
    checkDependencies(
      JSON.stringify({ packages: { "": {}, "node_modules/a": { ...sound, ...entry } } }),
      JSON.stringify(manifest),
      settings,
    );

  test("what is wrong with one is caught when planted", () => {
    expect(check({})).toEqual([]);
    expect(check({ license: "(GPL-3.0 OR MIT)" })).toEqual([]);
    expect(check({ license: "MPL-2.0", dev: true })).toEqual([]);
    expect(check({}, { dependencies: { a: "1.0.0", b: "2.0.0-rc.1" } })).toEqual([]);
    for (const entry of [
      { integrity: undefined },
      { integrity: "sha1-AAAA" },
      { resolved: "http://registry.npmjs.org/a.tgz" },
      { resolved: "git+ssh://git@github.com/a/a.git" },
      { hasInstallScript: true },
      { deprecated: "use b" },
      { license: "GPL-3.0" },
      { license: "MPL-2.0" },
      { license: undefined },
    ]) {
      expect(check(entry), JSON.stringify(entry)).toHaveLength(1);
    }
    for (const version of ["^1.0.0", "~1.0.0", "latest", "*", ">=1", "file:../a", "github:a/a"])
      expect(check({}, { devDependencies: { a: version } })).toHaveLength(1);
    expect(check({}, {}, "save-exact=true\n")).toHaveLength(1);
  });

  test("are pinned, hashed, licensed and run nothing at install", () => {
    expect(checkDependencies(textOf("package-lock.json"), textOf("package.json"), textOf(".npmrc"))).toEqual(
      [],
    );
  });

  test("a report of npm audit is read, and what is none is not taken for a clean one", () => {
    const via = [{ url: "https://github.com/advisories/GHSA-x", title: "hole", severity: "low" }, "b"];
    const found = JSON.stringify({ vulnerabilities: { a: { via } }, metadata: {} });
    expect(readAudit(found)).toEqual({ kind: "found", advisories: ["a: low GHSA-x hole"] });
    expect(readAudit(found, { "GHSA-x": "not called" })).toEqual({ kind: "clean" });
    expect(readAudit(JSON.stringify({ vulnerabilities: {}, metadata: {} }))).toEqual({ kind: "clean" });
    for (const none of [
      "",
      "{}",
      '{"message":"405"}',
      '{"error":{"summary":"no network"}}',
      '{"vulnerabilities":{}}',
    ])
      expect(readAudit(none)).toMatchObject({ kind: "notDone" });
  });
});

describe("secrets", () => {
  // In pieces, so that this file has none.
  const of = (...parts: string[]): string => parts.join("");
  const planted: readonly (readonly [string, string])[] = [
    ["a private key", of("-----BEGIN ", "EC PRIVATE KEY-----\n", "A".repeat(64))],
    ["an AWS key id", of("AK", "IAABCDEFGHIJKLMNOP")],
    ["an AWS secret key", of("aws_secret_access", "_key = ", "a/".repeat(20))],
    ["a GitHub token", of("gh", "p_", "a".repeat(36))],
    ["a token for npm", of("//registry.npmjs.org/:_auth", "Token=abcdefgh12")],
    ["a Slack token", of("xo", "xb-1234567890-abc")],
    ["a signed web token", of("eyJ", "a".repeat(20), ".eyJ", "b".repeat(20), ".", "c".repeat(30))],
    ["a password in an address", of("postgres://admin", ":hunter2", "@db.example.com")],
    ["a token of ours", of("hf", "d_", "A".repeat(43))],
    ["an app password of ours", of("hf", "p-", Array(7).fill("ABCDE").join("-"))],
  ];
  test.each(planted)("%s is caught when planted, named without it, and allowed by its hash", (what, text) => {
    const file = { path: "x.md", text: `before\n${text}\nafter` };
    const [violation, ...more] = checkSecrets([file], {});
    expect(more).toEqual([]);
    expect(violation).toMatch(new RegExp(`^x\\.md:2: ${what}, [0-9a-f]{16}$`));
    const hash = violation?.slice(-16) ?? "";
    expect(checkSecrets([file], { "x.md": [hash] })).toEqual([]);
    expect(checkSecrets([{ ...file, path: "y.md" }], {})).toHaveLength(1);
    expect(checkSecrets([], { "x.md": [hash] })).toHaveLength(1);
  });

  test("what only looks like one is none", () => {
    const text = of(
      "https://host:8443/a@b ssh://git@host hfd_short https://$",
      "{user}:$",
      "{password}@host AKIA",
    );
    expect(checkSecrets([{ path: "x.md", text }], {})).toEqual([]);
  });

  test("are not here, but for those of tests and vectors", () => {
    expect(checkSecrets(files, allowed)).toEqual([]);
  });
});
