// What Windows Explorer and macOS Finder ask, in their order, as far as it is documented: [MS-WDV] and [MS-WDVSE], logs of servers in
// public issue trackers, the notes on both clients of sabre/dav and jsDAV. The clients themselves cannot run here.

import { expect, test } from "vitest";
import { directory, file, sparseFile } from "../memoryView.ts";
import { type Answered, ask, davOver, hrefs, namespaceOf, top } from "./asking.ts";

const MiB = 2 ** 20;
const dav = davOver(
  namespaceOf(
    directory([
      ["report.docx", file("PK report")],
      ["movie.mov", sparseFile(BigInt(40 * MiB), [{ offset: 0n, length: BigInt(40 * MiB) }])],
      ["folder", directory([["note.txt", file("note")]])],
    ]),
  ),
);

/** What must be in every response of a multistatus for a client to show it. */
function responses({ text }: Answered): Map<string, string> {
  return new Map(
    Array.from(text.matchAll(/<D:response><D:href>([^<]*)<\/D:href>(.*?)<\/D:response>/g), (match) => [
      match[1] as string,
      match[2] as string,
    ]),
  );
}

const folder = "/dav/alice/pc/files";

test("Explorer maps a drive, looks into a folder, opens a document and tries to change it", async () => {
  const windows = { "user-agent": "Microsoft-WebDAV-MiniRedir/10.0.22621", translate: "f" };
  const send = (method: string, target: string, headers = {}, body?: string) =>
    ask(dav, method, target, {
      headers: { ...windows, ...headers },
      ...(body !== undefined && { body }),
    });

  // It asks the folder, then each folder above, whether this is WebDAV, without logging in. Without "DAV" it gives up, with another
  // "MS-Author-Via" it takes the FrontPage path.
  for (const target of [folder, "/dav", "/"]) {
    const answer = await send("OPTIONS", target);
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ dav: "1", "ms-author-via": "DAV", "content-length": "0" });
    expect(answer.headers.allow).toMatch(/\bPROPFIND\b/);
  }

  // Empty bodies, without a slash at the end; a redirect would be the end of it.
  for (const target of [folder, top]) {
    const root = await send("PROPFIND", target, { depth: "0", "content-length": "0" });
    expect(root.status).toBe(207);
    expect(responses(root).get(`${target}/`)).toContain("<D:resourcetype><D:collection/></D:resourcetype>");
    expect(responses(root).get(`${target}/`)).toContain("200 OK");
  }
  const listing = await send("PROPFIND", top, { depth: "1", "content-length": "0" });
  expect(listing.headers["content-encoding"]).toBeUndefined();
  const shown = responses(listing);
  expect([...shown.keys()]).toEqual([`${top}/`, `${top}/report.docx`, `${top}/movie.mov`, `${top}/folder/`]);
  expect(shown.get(`${top}/report.docx`)).toContain("<D:getcontentlength>9</D:getcontentlength>");
  expect(shown.get(`${top}/report.docx`)).toMatch(
    /<D:getlastmodified>[A-Z][a-z]{2}, \d{2} \w{3} \d{4} [\d:]{8} GMT</,
  );

  // What it looks for in every folder.
  for (const name of ["desktop.ini", "Thumbs.db", "AutoRun.inf", "folder.jpg", "~$report.docx"]) {
    expect((await send("PROPFIND", `${top}/${name}`, { depth: "0" })).status).toBe(404);
  }

  // Opening fetches the whole file. Office asks for a lock first and opens read-only without one.
  const lock =
    '<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope></D:lockinfo>';
  expect((await send("LOCK", `${top}/report.docx`, { timeout: "Second-3600" }, lock)).status).toBe(403);
  expect((await send("HEAD", `${top}/report.docx`)).headers["content-length"]).toBe("9");
  const opened = await send("GET", `${top}/report.docx`);
  expect([opened.status, opened.text]).toEqual([200, "PK report"]);
  expect(opened.headers["content-encoding"]).toBeUndefined();

  // Pasting a file, and setting its attributes.
  const attributes =
    '<D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>' +
    "<Z:Win32FileAttributes>00000020</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>";
  expect((await send("PUT", `${top}/new.txt`, { "content-length": "0" })).status).toBe(403);
  expect((await send("PROPPATCH", `${top}/report.docx`, {}, attributes)).status).toBe(403);
  expect((await send("MKCOL", `${top}/New%20folder`)).status).toBe(403);
  expect((await send("MOVE", `${top}/report.docx`, { destination: `https://x${top}/b` })).status).toBe(403);
  expect((await send("DELETE", `${top}/report.docx`)).status).toBe(403);

  // [MS-WDVSE], Depth "noroot": what is in the folder, without the folder.
  const body =
    '<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:displayname/></D:prop></D:propfind>';
  expect(hrefs(await send("PROPFIND", top, { depth: "1,noroot" }, body))).toHaveLength(3);
});

test("Finder connects, asks for much that is not there, and reads in pieces", async () => {
  const send = (method: string, target: string, headers = {}, body?: string) =>
    ask(dav, method, target, {
      headers: { "user-agent": "WebDAVFS/3.0.0 (03008000) Darwin/23.0.0 (arm64)", accept: "*/*", ...headers },
      ...(body !== undefined && { body }),
    });
  const properties = (...names: string[]) =>
    `<?xml version="1.0" encoding="utf-8"?>\n<D:propfind xmlns:D="DAV:">\n<D:prop>\n${names
      .map((name) => (name.startsWith("<") ? name : `<D:${name}/>`))
      .join("\n")}\n</D:prop>\n</D:propfind>\n`;

  // The class decides: 1 mounts read-only, 2 would make it lock.
  const options = await send("OPTIONS", `${folder}/`, {
    "user-agent": "WebDAVLib/1.3",
    "content-length": "0",
  });
  expect([options.status, options.headers.dav]).toEqual([200, "1"]);

  const stat = properties("getlastmodified", "getcontentlength", "creationdate", "resourcetype");
  for (let time = 0; time < 3; time++) {
    const root = await send("PROPFIND", `${folder}/`, { depth: "0" }, stat);
    expect(responses(root).get(`${folder}/`)).toContain("<D:collection/>");
  }
  // Since macOS 15.4 a client hangs for 90 seconds on some answers to these: none of them may have a value.
  const quota = await send(
    "PROPFIND",
    `${folder}/`,
    { depth: "0" },
    properties("quota-available-bytes", "quota-used-bytes", "quota", "quotaused"),
  );
  expect(quota.status).toBe(207);
  expect(quota.text).toContain(
    "<D:prop><D:quota-available-bytes/><D:quota-used-bytes/><D:quota/><D:quotaused/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status>",
  );
  expect(quota.text).not.toContain("200 OK");

  for (const name of [
    ".Spotlight-V100",
    ".metadata_never_index",
    ".ql_disablethumbnails",
    ".DS_Store",
    ".localized",
    ".hidden",
    "._.",
    "mach_kernel",
    "Backups.backupdb",
    "Contents",
    "._movie.mov",
    "movie.mov/..namedfork",
  ]) {
    const answer = await send("PROPFIND", `${top}/${name}`, { depth: "0" }, stat);
    expect([name, answer.status]).toEqual([name, 404]);
  }

  const listed = await send(
    "PROPFIND",
    `${top}/`,
    { depth: "1" },
    properties(
      "getlastmodified",
      "getcontentlength",
      "creationdate",
      "resourcetype",
      '<S:appledoubleheader xmlns:S="http://www.apple.com/webdav_fs/props/"/>',
    ),
  );
  expect(hrefs(listed)).toHaveLength(4);
  expect(responses(listed).get(`${top}/movie.mov`)).toContain(
    '<x:appledoubleheader xmlns:x="http://www.apple.com/webdav_fs/props/"/>',
  );

  // Pieces, then the rest, of what must be the same file.
  const first = await send("GET", `${top}/movie.mov`, { range: "bytes=0-8191" });
  expect([first.status, first.body.length]).toEqual([206, 8192]);
  expect(first.headers["content-range"]).toBe(`bytes 0-8191/${40 * MiB}`);
  const { etag } = first.headers;
  const middle = await send("GET", `${top}/movie.mov`, {
    range: `bytes=${20 * MiB}-${21 * MiB - 1}`,
    "if-range": etag,
  });
  expect([middle.status, middle.body.length, middle.headers.etag]).toEqual([206, MiB, etag]);
  const tail = await send("GET", `${top}/movie.mov`, { range: `bytes=${40 * MiB - 10}-` });
  expect([tail.status, tail.body.length]).toEqual([206, 10]);
  const again = await send("GET", `${top}/movie.mov`, { "if-none-match": etag });
  expect([again.status, again.body.length]).toEqual([304, 0]);

  // It would write these into any volume that lets it.
  for (const [method, name] of [
    ["PUT", ".DS_Store"],
    ["PUT", "._movie.mov"],
    ["LOCK", "movie.mov"],
    ["MKCOL", ".Trashes"],
    ["DELETE", "movie.mov"],
  ] as const) {
    expect((await send(method, `${top}/${name}`)).status).toBe(403);
  }
});
