import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { directory, file, type MemoryNode, node } from "../memoryView.ts";
import { ask, davOver, namespaceOf, time, top } from "./asking.ts";

const hostile = '"><script>alert(1)\u202e\n';
const snapshot = directory([
  [hostile, file("x", { size: 1n })],
  ["folder & co", directory([])],
  ["link", node("symlink", {}, { target: Buffer.from("<b>nowhere</b>") })],
  ["1536 bytes", file("x".repeat(1536))],
]);
const dav = davOver(namespaceOf(snapshot, ["latest", node("symlink", {}, { target: Buffer.from(time) })]));
const browse = (target: string, headers = {}) =>
  ask(dav, "GET", target, { headers: { accept: "text/html,*/*;q=0.8", ...headers } });

test("a page that is whole by itself, in a policy that lets nothing else in", async () => {
  const { status, headers, text } = await browse(top);
  expect(status).toBe(200);
  expect(headers["content-type"]).toBe("text/html; charset=utf-8");
  const style = /<style>([\s\S]*)<\/style>/.exec(text)?.[1] as string;
  const hash = createHash("sha256").update(style).digest("base64");
  expect(headers["content-security-policy"]).toBe(
    `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  );
  expect(text).toMatch(/^<!doctype html>\n<html lang="en">/);
  expect(text).not.toMatch(/<script|<img|<link|javascript:| style=| on\w+=/);
  expect(text).toContain('<a class="d" href="/dav/alice/pc/files/">Parent folder</a>');
  expect(text.endsWith("</html>\n")).toBe(true);
});

test("names are text, whatever is in them, and links are their exact bytes", async () => {
  const { text } = await browse(top);
  expect(text).toContain(`<a href="${top}/%22%3E%3Cscript%3Ealert%281%29%E2%80%AE%0A">`);
  expect(text).toContain("<bdi>&quot;&gt;&lt;script&gt;alert(1)\u202e\u240a</bdi>");
  expect(text).toContain("is a link to <bdi>&lt;b&gt;nowhere&lt;/b&gt;</bdi>");
  expect(text).toContain('<td class="n" title="1536 bytes">1.5 KiB</td>');
  expect(text).toContain('<time datetime="2023-11-14T22:13:20Z">2023-11-14 22:13</time>');
  expect(text).toContain(`href="${top}/folder%20%26%20co/"><bdi>folder &amp; co</bdi>/</a>`);
});

test("the root, folders above snapshots, and an empty folder", async () => {
  for (const target of ["/dav", "/dav/", "/dav/alice", "/dav/alice/pc/files/latest"]) {
    expect((await browse(target)).status).toBe(200);
  }
  expect((await browse("/dav/")).text).toContain("<title>Backups - Holdfast</title>");
  expect((await browse(`${top}/folder%20%26%20co`)).text).toContain("This folder is empty.");
  expect((await browse("/dav/alice")).text).not.toContain("1970");
});

test("HEAD, gzip, and names alone for who wants text", async () => {
  const head = await ask(dav, "HEAD", top);
  expect([head.status, head.body.length, head.headers["content-type"]]).toEqual([
    200,
    0,
    "text/html; charset=utf-8",
  ]);
  const packed = await browse(top, { "accept-encoding": "gzip" });
  expect(packed.headers["content-encoding"]).toBe("gzip");
  expect(packed.text).toBe((await browse(top)).text);
  const plain = await ask(dav, "GET", top, { headers: { accept: "text/plain" } });
  expect(plain.text.split("\n").slice(1)).toEqual(["folder%20%26%20co/", "link", "1536%20bytes", ""]);
});

test("a large folder comes in pages that lead on", async () => {
  const rows = Array.from({ length: 5000 }, (_, at): [string, MemoryNode] => [`f${at}`, file("")]);
  const many = davOver(namespaceOf(directory(rows)));
  const seen: string[] = [];
  let target: string | undefined = top;
  let pages = 0;
  while (target !== undefined) {
    const { text } = await ask(many, "GET", target);
    seen.push(...Array.from(text.matchAll(/<bdi>(f\d+)<\/bdi>/g), (match) => match[1] as string));
    target = /<a rel="next" href="([^"]+)"/.exec(text)?.[1];
    pages++;
  }
  expect(pages).toBe(3);
  expect(seen).toEqual(rows.map(([name]) => name));
  const strange = await ask(many, "GET", `${top}?from=999999999999999`);
  expect(strange.status).toBe(200);
});
