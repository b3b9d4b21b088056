// Parts of files and conditions, as curl asks for them: what download managers, media players and drives build on.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canRun } from "../../faults/requirements.ts";
import { clientDone } from "./clientProgram.ts";
import { fillClientTree } from "./clientTree.ts";
import { type Curl, curlOf } from "./curl.ts";
import { type DavSite, openDavSite } from "./davSite.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 23);
const undo: (() => void | Promise<void>)[] = [];

describe.skipIf(!canRun("ranges over WebDAV", "curl"))(`parts of files (seed ${seed})`, () => {
  let site: DavSite;
  let curl: Curl;
  let whole: Buffer;
  let path: string;
  let etag: string;
  const size = 9_000_001;

  beforeAll(async () => {
    site = await openDavSite(
      (folder) => fillClientTree(folder, seed),
      (step) => undo.push(step),
    );
    curl = curlOf(site);
    whole = readFileSync(join(site.source, "content", `f${size}`));
    path = `${site.tree}content/f${size}`;
    etag = (await curl(path, "--head")).headers.get("etag") ?? "";
  });
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
  });

  const range = (value: string, ...more: string[]) =>
    curl(path, "--header", `Range: ${value}`, ...more.flatMap((header) => ["--header", header]));

  /** The file's address in the folder of the snapshot's time, which never shows anything else. */
  const settled = async (): Promise<string> => {
    const item = `${site.root}laptop/files/`;
    const listed = await curl(item, "--request", "PROPFIND", "--header", "Depth: 1");
    const time = /files\/(\d{4}-\d\d-\d\dT\d{6}Z)\//.exec(listed.body.toString())?.[1];
    expect([listed.status, time]).toEqual([207, expect.any(String)]);
    return path.replace("/latest/", `/${time}/`);
  };

  it("the whole file, with what a client needs to go on later", async () => {
    const got = await curl(path);
    expect(got.status).toBe(200);
    expect(got.body.equals(whole)).toBe(true);
    expect(Object.fromEntries(got.headers)).toMatchObject({
      "content-length": String(size),
      "accept-ranges": "bytes",
      etag: expect.stringMatching(/^"[\w-]+"$/),
      "last-modified": expect.stringMatching(/ GMT$/),
    });
    const head = await curl(path, "--head");
    expect([head.status, head.body.length, head.headers.get("content-length")]).toEqual([
      200,
      0,
      String(size),
    ]);
    // The same bytes at another address have the same tag, others have another.
    expect((await curl(await settled(), "--head")).headers.get("etag")).toBe(etag);
    expect((await curl(`${site.tree}content/f4096`, "--head")).headers.get("etag")).not.toBe(etag);
  });

  it.each([
    ["bytes=0-0", 0, 0],
    ["bytes=0-", 0, size - 1],
    ["bytes=-1", size - 1, size - 1],
    ["bytes=-99999999", 0, size - 1],
    ["bytes=1048575-1048576", 1_048_575, 1_048_576],
    ["bytes=4194304-8388608", 4_194_304, 8_388_608],
    [`bytes=${size - 1}-`, size - 1, size - 1],
    [`bytes=${size - 5}-99999999999999`, size - 5, size - 1],
    ["Bytes = 5 - 9", 5, 9],
  ])("%s is that part and no more", async (asked, first, last) => {
    const got = await range(asked);
    expect([got.status, got.headers.get("content-range"), got.headers.get("content-length")]).toEqual([
      206,
      `bytes ${first}-${last}/${size}`,
      String(last - first + 1),
    ]);
    expect(got.body.equals(whole.subarray(first, last + 1))).toBe(true);
    expect(got.headers.get("etag")).toBe(etag);
  });

  it.each([`bytes=${size}-`, "bytes=99999999999999999999-", "bytes=-0"])("%s lies outside", async (asked) => {
    const got = await range(asked);
    expect([got.status, got.headers.get("content-range")]).toEqual([416, `bytes */${size}`]);
  });

  it.each(["bytes=9-5", "bytes=a-b", "bytes=", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=--5"])(
    "%s counts for nothing: the whole file",
    async (asked) => {
      const got = await range(asked);
      expect([got.status, got.body.length, got.headers.has("content-range")]).toEqual([200, size, false]);
    },
  );

  it("a part of what is the same still, else the whole", async () => {
    const modified = (await curl(path, "--head")).headers.get("last-modified") as string;
    expect((await range("bytes=0-4", `If-Range: ${etag}`)).status).toBe(206);
    expect((await range("bytes=0-4", 'If-Range: "other"')).status).toBe(200);
    expect((await range("bytes=0-4", `If-Range: W/${etag}`)).status).toBe(200);
    expect((await range("bytes=0-4", "If-Range: Thu, 01 Jan 1970 00:00:00 GMT")).status).toBe(200);
    // "latest" may be another snapshot tomorrow: there, no date proves that bytes are the same.
    expect((await range("bytes=0-4", `If-Range: ${modified}`)).status).toBe(200);
    const words = ["--header", "Range: bytes=0-4", "--header", `If-Range: ${modified}`];
    expect((await curl(await settled(), ...words)).status).toBe(206);
  });

  it("conditions", async () => {
    const asked = async (...headers: string[]) =>
      (await curl(path, "--head", ...headers.flatMap((header) => ["--header", header]))).status;
    const modified = (await curl(path, "--head")).headers.get("last-modified") as string;
    expect(await asked(`If-None-Match: ${etag}`)).toBe(304);
    expect(await asked(`If-None-Match: "x", W/${etag}`)).toBe(304);
    expect(await asked("If-None-Match: *")).toBe(304);
    expect(await asked('If-None-Match: "x"')).toBe(200);
    expect(await asked('If-None-Match: "x"', `If-Modified-Since: ${modified}`)).toBe(200);
    expect(await asked(`If-Modified-Since: ${modified}`)).toBe(304);
    expect(await asked("If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT")).toBe(200);
    expect(await asked("If-Modified-Since: yesterday")).toBe(200);
    expect(await asked(`If-Match: ${etag}`)).toBe(200);
    expect(await asked('If-Match: "x"')).toBe(412);
    expect(await asked(`If-Match: W/${etag}`)).toBe(412);
    expect(await asked("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT")).toBe(412);
    expect(await asked(`If-Unmodified-Since: ${modified}`)).toBe(200);
  });

  it("an empty file has no parts", async () => {
    const empty = `${site.tree}content/f0`;
    const got = await curl(empty);
    expect([got.status, got.headers.get("content-length"), got.body.length]).toEqual([200, "0", 0]);
    expect((await curl(empty, "--header", "Range: bytes=0-")).status).toBe(416);
  });

  it("a sparse file is all there, holes as zeros", async () => {
    const holes = readFileSync(join(site.source, "sparse/holes"));
    expect((await curl(`${site.tree}sparse/holes`)).body.equals(holes)).toBe(true);
    const middle = await curl(`${site.tree}sparse/holes`, "--header", "Range: bytes=1048500-1053900");
    expect(middle.body.equals(holes.subarray(1_048_500, 1_053_901))).toBe(true);
  });

  it("a download that was broken off goes on", async () => {
    const file = join(site.folder, "resumed");
    writeFileSync(file, whole.subarray(0, 3_000_000));
    const words = ["--continue-at", "-", "--output", file, "--write-out", "%{http_code} %{size_download}"];
    const options = ["--silent", "--cacert", site.certificate, "--config", "-"];
    const said = await clientDone("curl", [...options, ...words, `${site.url}${path}`], {
      input: `user = "${site.user}:${site.appPassword}"`,
    });
    expect(said.toString()).toBe(`206 ${size - 3_000_000}`);
    expect(readFileSync(file).equals(whole)).toBe(true);
  });
});
