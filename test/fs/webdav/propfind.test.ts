import { expect, test } from "vitest";
import { directory, file, node } from "../memoryView.ts";
import { alice, answerOf, ask, bodyOf, davOver, hrefs, namespaceOf, time, top } from "./asking.ts";

const snapshot = directory([
  ["etc", directory([["hosts", file("127.0.0.1 localhost\n")]])],
  [Buffer.from("caf\xe9", "latin1"), file("not UTF-8")],
  ["a&b <c> #?%\\", file("odd", { mode: 0o755 })],
  ["bell\u0007", file("control")],
  ["pipe", node("fifo")],
  ["tty", node("characterDevice")],
  ["disk", node("blockDevice")],
  ["sock", node("socket")],
]);
const dav = davOver(namespaceOf(snapshot, ["latest", node("symlink", {}, { target: Buffer.from(time) })]));
const propfind = (target: string, depth?: string, body?: string, headers = {}) =>
  ask(dav, "PROPFIND", target, {
    headers: { ...(depth !== undefined && { depth }), ...headers },
    ...(body !== undefined && { body }),
  });

test("collections and files, with or without a slash at the end", async () => {
  for (const target of [top, `${top}/`, `https://gateway:8443${top}`, `${top}?x`]) {
    const answer = await propfind(target, "1");
    expect(answer.status).toBe(207);
    expect(answer.headers["content-type"]).toBe("application/xml; charset=utf-8");
    expect(hrefs(answer)).toEqual([
      `${top}/`,
      `${top}/etc/`,
      `${top}/caf%E9`,
      `${top}/a%26b%20%3Cc%3E%20%23%3F%25%5C`,
      `${top}/bell%07`,
    ]);
  }
  expect(hrefs(await propfind(`${top}/etc`, "0"))).toEqual([`${top}/etc/`]);
  expect(hrefs(await propfind(`${top}/etc/hosts`, "1"))).toEqual([`${top}/etc/hosts`]);
  expect(hrefs(await propfind("/dav/alice/pc/files/latest/", "1"))[1]).toBe(
    "/dav/alice/pc/files/latest/etc/",
  );
});

test("every href that is shown answers again, byte for byte", async () => {
  for (const href of hrefs(await propfind(top, "1"))) {
    expect(hrefs(await propfind(href, "0"))).toEqual([href]);
    if (!href.endsWith("/")) expect((await ask(dav, "GET", href)).status).toBe(200);
  }
});

test("allprop is short: a Windows client takes a listing of a megabyte", async () => {
  const { text } = await propfind(`${top}/etc/hosts`, "0");
  expect(text).toContain(
    "<D:prop><D:resourcetype/><D:getcontentlength>20</D:getcontentlength>" +
      "<D:getlastmodified>Tue, 14 Nov 2023 22:13:20 GMT</D:getlastmodified><D:getetag>",
  );
  expect(text).not.toMatch(/supportedlock|displayname|getcontenttype/);
  const folder = await propfind(`${top}/etc`, "0");
  expect(folder.text).toContain("<D:resourcetype><D:collection/></D:resourcetype>");
  expect(folder.text).not.toContain("getcontentlength");
});

test("named properties: ours by value, others as 404 in their own namespace", async () => {
  const { text } = await propfind(
    `${top}/a%26b%20%3Cc%3E%20%23%3F%25%5C`,
    "0",
    `<p:propfind xmlns:p="DAV:"><p:prop><p:displayname/><p:supportedlock/><p:lockdiscovery/><p:getcontenttype/>
     <p:quota-used-bytes/><x xmlns="urn:a&amp;&lt;&quot;b"/><none xmlns=""/><e:executable xmlns:e="http://apache.org/dav/props/"/>
     <p:constructor/></p:prop></p:propfind>`,
  );
  expect(text).toContain(
    "<D:displayname>a&amp;b &lt;c&gt; #?%\\</D:displayname><D:supportedlock/><D:lockdiscovery/>",
  );
  expect(text).toContain('<x:executable xmlns:x="http://apache.org/dav/props/">T</x:executable>');
  expect(text).toContain(
    '<D:propstat><D:prop><D:quota-used-bytes/><x:x xmlns:x="urn:a&amp;&lt;&quot;b"/><none xmlns=""/><D:constructor/>' +
      "</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>",
  );
  expect((await propfind(`${top}/bell%07`, "0", named("displayname"))).text).toContain(">bell\ufffd<");
  expect((await propfind(`${top}/caf%E9`, "0", named("displayname"))).text).toContain(">caf\ufffd<");
});

const named = (property: string): string => `<propfind xmlns="DAV:"><prop><${property}/></prop></propfind>`;

test("what is not there is left out for who asks for little", async () => {
  const body = named("quota-used-bytes");
  expect((await propfind(top, "0", body)).text).toContain("404 Not Found");
  for (const headers of [{ prefer: "return=minimal" }, { brief: "t" }]) {
    const { text } = await propfind(top, "0", body, headers);
    expect(text).not.toContain("404");
    expect(text).toContain("<D:propstat><D:prop></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>");
  }
});

test("propname has names without values", async () => {
  const { text } = await propfind(`${top}/etc/hosts`, "0", '<propfind xmlns="DAV:"><propname/></propfind>');
  expect(text).toContain("<D:getcontentlength/>");
  expect(text).toContain("<D:supportedlock/>");
});

test("the depth is finite", async () => {
  for (const depth of [undefined, "infinity", "Infinity"]) {
    const answer = await propfind(top, depth);
    expect(answer.status).toBe(403);
    expect(answer.text).toContain("<D:propfind-finite-depth/>");
  }
  expect((await propfind(top, "2")).status).toBe(400);
});

test("bad bodies are refused before anything is looked up", async () => {
  expect((await propfind(top, "0", "<x")).status).toBe(400);
  expect((await propfind(top, "0", `<a>${"x".repeat(70_000)}</a>`)).status).toBe(413);
  expect((await propfind(top, "0", "\u001f\u008b", { "content-encoding": "gzip" })).status).toBe(415);
  const odd = { "content-type": "%%%/;;garbage" };
  expect((await propfind(top, "0", named("getetag"), odd)).status).toBe(207);
});

test("addresses: malformed 400, nothing there 404 and cheap", async () => {
  for (const target of [`${top}/%zz`, `${top}/../x`, `${top}/%00`, "/dav/%2e%2e/etc"]) {
    expect((await propfind(target, "0")).status).toBe(400);
  }
  for (const name of [
    "desktop.ini",
    "._etc",
    ".DS_Store",
    "pipe",
    "tty",
    "disk",
    "sock",
    "etc/hosts/below",
  ]) {
    const answer = await propfind(`${top}/${name}`, "0");
    expect(answer.status).toBe(404);
    expect(answer.body.length).toBeLessThan(300);
  }
  expect((await propfind("/davx", "0")).status).toBe(404);
});

test("Microsoft's noroot leaves the collection itself out", async () => {
  const whole = hrefs(await propfind(top, "1"));
  for (const depth of ["1,noroot", "1, NoRoot"]) {
    expect(hrefs(await propfind(top, depth))).toEqual(whole.slice(1));
  }
  expect(hrefs(await propfind("/", "1,noroot"))).toEqual(["/dav/"]);
  expect((await propfind(top, "infinity,noroot")).status).toBe(403);
});

test("the server's own root shows the way, whatever the account", async () => {
  expect(hrefs(await propfind("/", "1"))).toEqual(["/", "/dav/"]);
  expect(hrefs(await propfind("/", "0"))).toEqual(["/"]);
});

test("gzip for who takes it", async () => {
  const names = Array.from({ length: 3000 }, (_, at) => [`file ${at}`, file("")] as const);
  const many = davOver(namespaceOf(directory(names)));
  const plain = await ask(many, "PROPFIND", top, { headers: { depth: "1" } });
  for (const [accept, packed] of [
    ["gzip", true],
    ["deflate, gzip;q=0.5, br", true],
    ["gzip;q=0", false],
    ["br", false],
  ] as const) {
    const headers = { depth: "1", "accept-encoding": accept };
    const answer = await answerOf(many, "PROPFIND", top, { headers, scope: alice });
    expect(answer.headers["content-encoding"]).toBe(packed ? "gzip" : undefined);
    expect(answer.headers.vary).toBe("accept-encoding");
    const sent = await bodyOf(answer);
    expect(sent.length < plain.body.length / 10).toBe(packed);
    const again = await ask(many, "PROPFIND", top, { headers });
    expect(again.body.equals(plain.body)).toBe(true);
  }
  expect(hrefs(plain).length).toBe(3001);
});
