// What Windows Explorer and macOS Finder send, replayed: neither runs here, so their requests are put together from logs of servers that
// they talked to and from the published source of Apple's file system, in that order and over one connection.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fillClientTree } from "./clientTree.ts";
import { type DavSite, encodePath, openDavSite } from "./davSite.ts";

const undo: (() => void | Promise<void>)[] = [];
let site: DavSite;
let agent: Agent;
/** Sent with every request. */
let common: Readonly<Record<string, string>>;

beforeAll(async () => {
  site = await openDavSite(
    (folder) => fillClientTree(folder, 37),
    (step) => undo.push(step),
  );
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});
beforeEach(() => {
  agent = new Agent({ keepAlive: true, maxSockets: 1 });
});
afterEach(() => agent.destroy());

type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** False when it came over a new connection. */
  readonly reused: boolean;
};

function send(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): Promise<Answer> {
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const all = { ...common, ...headers, ...length };
  return new Promise((resolve, reject) => {
    const sent = request(
      site.url + path,
      { method, agent, headers: all, rejectUnauthorized: false },
      (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(pieces),
            reused: sent.reusedSocket,
          }),
        );
      },
    );
    sent.once("error", reject);
    sent.end(body);
  });
}

const login = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});

/** Statuses of requests, which must all have come over the connection that was there. */
async function statuses(requests: readonly Parameters<typeof send>[]): Promise<number[]> {
  const all: number[] = [];
  for (const each of requests) {
    const { status, reused } = await send(...each);
    expect(reused, each.slice(0, 2).join(" ")).toBe(true);
    all.push(status);
  }
  return all;
}

/** The values of a property of DAV: in a listing, by href. */
function values(listing: Buffer, property: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, one = ""] of listing.toString().matchAll(/<D:response>([\s\S]*?)<\/D:response>/g)) {
    const href = /<D:href>([^<]*)</.exec(one)?.[1] ?? "";
    const value = new RegExp(`<D:${property}>([\\s\\S]*?)</D:${property}>`).exec(one)?.[1];
    if (value !== undefined) found.set(href, value);
  }
  return found;
}

function sum(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const ok = (count: number, status: number) => Array<number>(count).fill(status);

describe("Windows Explorer", () => {
  const depth = (value: "0" | "1") => ({ depth: value, "content-length": "0" });

  beforeEach(() => {
    common = { "user-agent": "Microsoft-WebDAV-MiniRedir/10.0.22621", translate: "f" };
  });

  it("maps a drive, lists folders and opens files; nothing can be saved", async () => {
    const tree = site.tree.slice(0, -1);
    const options = await send("OPTIONS", "/dav/alice");
    expect([options.status, options.headers.dav, options.headers["ms-author-via"]]).toEqual([
      200,
      "1",
      "DAV",
    ]);
    const asked = await send("PROPFIND", "/dav/alice", depth("0"));
    expect([asked.status, asked.headers["www-authenticate"]]).toEqual([
      401,
      expect.stringMatching(/^Basic /),
    ]);
    common = { ...common, ...login(site.user, site.appPassword) };

    // It walks down to what it maps, from the root of the server, without slashes at the end; a redirect would be an error to it.
    const steps = ["/", "/dav", "/dav/alice", "/dav/alice/laptop", "/dav/alice/laptop/files", tree];
    expect(await statuses(steps.map((path) => ["PROPFIND", path, depth("0")]))).toEqual(
      ok(steps.length, 207),
    );
    const probes = ["desktop.ini", "AutoRun.inf", "folder.jpg", "folder.gif", "Thumbs.db", "~$f4096"];
    expect(await statuses(probes.map((name) => ["PROPFIND", `${tree}/${name}`, depth("0")]))).toEqual(
      ok(probes.length, 404),
    );

    const listed = await send("PROPFIND", `${tree}/content`, depth("1"));
    expect(listed.status).toBe(207);
    const sizes = values(listed.body, "getcontentlength");
    expect(sizes.get(`${tree}/content/f4194305`)).toBe("4194305");
    expect(values(listed.body, "resourcetype").get(`${tree}/content/empty%20folder/`)).toBe(
      "<D:collection/>",
    );
    const times = values(listed.body, "getlastmodified");
    expect(times.size).toBe(sizes.size + 2);
    for (const time of times.values()) expect(new Date(time).toUTCString()).toBe(time);

    const file = `${tree}/content/f4194305`;
    expect(
      await statuses([
        ["PROPFIND", file, depth("0")],
        ["PROPFIND", `${tree}/content`, depth("0")],
      ]),
    ).toEqual(ok(2, 207));
    const got = await send("GET", file);
    expect([got.status, sum(got.body)]).toEqual([
      200,
      sum(readFileSync(join(site.source, "content/f4194305"))),
    ]);
    expect((await send("HEAD", file)).headers["content-length"]).toBe("4194305");

    // As an office program opens and saves it, and Explorer makes, renames and removes things.
    const lock = `<?xml version="1.0" encoding="utf-8" ?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner><D:href>PC\\ann</D:href></D:owner></D:lockinfo>`;
    const win32 = `<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop><Z:Win32FileAttributes>00000020</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>`;
    const xml = { "content-type": 'text/xml; charset="utf-8"' };
    const elsewhere = { destination: `${site.url}${tree}/content/renamed`, overwrite: "F" };
    const writes: Parameters<typeof send>[] = [
      ["LOCK", file, { ...xml, timeout: "Second-3600" }, lock],
      ["PUT", `${tree}/content/~$f4096`, {}, "x".repeat(165)],
      ["PUT", file, { if: "(<opaquelocktoken:x>)" }, "x".repeat(300_000)],
      ["PROPPATCH", file, xml, win32],
      ["UNLOCK", file, { "lock-token": "<opaquelocktoken:x>" }],
      ["MKCOL", `${tree}/content/New%20folder`, { "content-length": "0" }],
      ["MOVE", file, elsewhere],
      ["COPY", file, elsewhere],
      ["DELETE", file],
    ];
    expect(await statuses(writes)).toEqual(ok(writes.length, 403));
    expect((await send("PROPFIND", file, depth("0"))).status).toBe(207);
  });

  it("may put a domain before the user's name", async () => {
    for (const user of ["DESKTOP-1\\alice", "\\alice", "corp\\sub\\alice"]) {
      common = { ...common, ...login(user, site.appPassword) };
      expect((await send("PROPFIND", "/dav/alice", depth("0"))).status, user).toBe(207);
    }
    for (const user of ["alice\\bob", "alice\\", "alice/alice"]) {
      common = { ...common, ...login(user, site.appPassword) };
      expect((await send("PROPFIND", "/dav/alice", depth("0"))).status, user).toBe(401);
    }
  });
});

describe("macOS Finder", () => {
  const xml = { accept: "*/*", "content-type": "text/xml" };
  const propfind = (path: string, depth: "0" | "1", ...properties: string[]): Parameters<typeof send> => [
    "PROPFIND",
    path,
    { ...xml, depth },
    `<?xml version="1.0" encoding="utf-8"?>\n<D:propfind xmlns:D="DAV:">\n<D:prop>\n${properties.map((name) => `<${name}/>\n`).join("")}</D:prop>\n</D:propfind>\n`,
  ];
  const stat = (path: string) =>
    propfind(path, "0", "D:getlastmodified", "D:getcontentlength", "D:creationdate", "D:resourcetype");

  beforeEach(() => {
    common = { "user-agent": "WebDAVFS/3.0.0 (03008000) Darwin/23.6.0 (arm64)", accept: "*/*" };
  });

  it("mounts read-only, looks for its own files, lists, reads on and reads again", async () => {
    const options = await send("OPTIONS", "/dav/alice/", { "content-length": "0" });
    // Class 1 alone makes it mount read-only.
    expect([options.status, options.headers.dav]).toEqual([200, "1"]);
    expect((await send(...stat("/dav/alice/"))).status).toBe(401);
    common = { ...common, ...login(site.user, site.appPassword) };
    const root = await send(...stat("/dav/alice/"));
    expect([root.status, values(root.body, "resourcetype").get("/dav/alice/")]).toEqual([
      207,
      "<D:collection/>",
    ]);

    const quota = ["D:quota-available-bytes", "D:quota-used-bytes", "D:quota", "D:quotaused"];
    const room = await send(...propfind("/dav/alice/", "0", ...quota));
    // Unknown there: it shows no figure then.
    expect([room.status, room.body.toString().match(/HTTP\/1\.1 \d+/g)]).toEqual([207, ["HTTP/1.1 404"]]);

    const probes = [
      "._.",
      ".DS_Store",
      "._.DS_Store",
      ".hidden",
      ".localized",
      ".metadata_never_index",
      ".Spotlight-V100",
      ".Trashes",
      ".ql_disablethumbnails",
      ".ql_disablecache",
      "mach_kernel",
      "Backups.backupdb",
      "DCIM",
    ];
    expect(await statuses(probes.map((name) => stat(`/dav/alice/${name}`)))).toEqual(ok(probes.length, 404));

    const own = 'A:appledoubleheader xmlns:A="http://www.apple.com/webdav_fs/props/"';
    const names = `${site.tree}names/`;
    const listed = await send(
      ...propfind(
        names,
        "1",
        "D:getlastmodified",
        "D:getcontentlength",
        "D:creationdate",
        "D:resourcetype",
        own,
      ),
    );
    expect(listed.status).toBe(207);
    const sizes = values(listed.body, "getcontentlength");
    for (const name of ["日本語", "e\u0301 decomposed", "%2F", "a&b<c>d"]) {
      expect(sizes.get(`${names}${encodePath(name).replaceAll("/", "%2F")}`), name).toBe(
        String(Buffer.byteLength(`content of ${name}`)),
      );
    }

    // A file is read from its beginning, broken off, and gone on with; later asked for again.
    const file = `${site.tree}content/f9000001`;
    const whole = readFileSync(join(site.source, "content/f9000001"));
    expect((await send(...stat(file))).status).toBe(207);
    const first = await send("GET", file);
    expect([first.status, sum(first.body)]).toEqual([200, sum(whole)]);
    const modified = first.headers["last-modified"] as string;
    const rest = await send("GET", file, { range: "bytes=4000000-", "if-range": modified });
    // By `latest` a date proves nothing: all of it comes again, and it takes that.
    expect([rest.status, sum(rest.body)]).toEqual([200, sum(whole)]);
    const part = await send("GET", file, {
      range: "bytes=4000000-",
      "if-range": first.headers.etag as string,
    });
    expect([part.status, sum(part.body)]).toEqual([206, sum(whole.subarray(4_000_000))]);
    expect((await send("GET", file, { "if-modified-since": modified })).status).toBe(304);

    const lock = `<?xml version="1.0" encoding="utf-8"?>\n<D:lockinfo xmlns:D="DAV:">\n<D:lockscope><D:exclusive/></D:lockscope>\n<D:locktype><D:write/></D:locktype>\n</D:lockinfo>\n`;
    const writes: Parameters<typeof send>[] = [
      ["PUT", `${site.tree}.DS_Store`, { "content-length": "0" }],
      ["PUT", `${site.tree}._new`, {}, "x".repeat(4096)],
      ["LOCK", file, { ...xml, depth: "0", timeout: "Second-600" }, lock],
      ["MKCOL", `${site.tree}untitled%20folder`, {}],
      ["MOVE", file, { destination: `${site.url}${site.tree}content/other` }],
      ["DELETE", file],
    ];
    expect(await statuses(writes)).toEqual(ok(writes.length, 403));
  });
});
