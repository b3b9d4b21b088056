// The independent reader reads the golden vectors of trees.
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { seededId } from "../vault/seeded.ts";
import { Cursor, concat, hex } from "./cursor.ts";
import { type Entry, readAttributes, readDirectoryPage } from "./directoryPage.ts";
import { readExtentPage } from "./extentPage.ts";
import { base64, split, vector } from "./vectorFiles.ts";

describe("trees", () => {
  type Page = { id: string; plaintext: string; refs: string };
  const opened = (page: Page) => {
    const plaintext = base64(page.plaintext);
    const refs = base64(page.refs);
    expect(hex(sha256(concat(refs, Buffer.from("|"), plaintext)))).toBe(page.id);
    return { type: 2, plaintext, references: split(refs) };
  };

  /** An entry as the vector writes entries. */
  const asGiven = (entry: Entry): unknown => {
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
    const time = (ns: bigint) => {
      const nanoseconds = Number(((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
      return { seconds: Number((ns - BigInt(nanoseconds)) / 1_000_000_000n), nanoseconds };
    };
    const { xattrs, content } = entry;
    let given: unknown = { form: "none" };
    if ("id" in xattrs) given = { form: "record", id: text(xattrs.id), plainLength: xattrs.plainLength };
    else if (xattrs.length > 0) {
      given = {
        form: "inline",
        list: xattrs.map(({ name, value }) => ({ name: text(name), value: text(value) })),
      };
    }
    const counted = ({ dataBytes }: { readonly dataBytes?: number }) =>
      dataBytes === undefined ? {} : { dataBytes };
    const extents = (list: Exclude<Entry["content"], undefined>) =>
      "id" in list
        ? { form: "pages", id: text(list.id), plainLength: list.plainLength, ...counted(list) }
        : {
            form: "inline",
            extents: list.map(({ length, chunk }) =>
              chunk === null
                ? { hole: true, length }
                : {
                    hole: false,
                    length,
                    id: text(chunk.id),
                    plainLength: chunk.plainLength,
                    offset: chunk.offset,
                  },
            ),
          };
    return {
      name: text(entry.name),
      kind: entry.kind,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      userName: Buffer.from(entry.user).toString("utf8"),
      groupName: Buffer.from(entry.group).toString("utf8"),
      mtime: time(entry.mtime),
      ctime: time(entry.ctime),
      btime: time(entry.btime),
      device: entry.device.toString(),
      inode: entry.inode.toString(),
      linkCount: entry.linkCount,
      xattrs: given,
      ...(entry.size === undefined ? {} : { size: entry.size }),
      ...(entry.fileHash === undefined ? {} : { fileHash: text(entry.fileHash) }),
      ...(content === undefined ? {} : { content: extents(content) }),
      ...(entry.child === undefined
        ? {}
        : {
            child: {
              id: text(entry.child.id),
              plainLength: entry.child.plainLength,
              files: entry.child.files,
              directories: entry.child.directories,
              bytes: entry.child.bytes,
            },
          }),
      ...(entry.target === undefined ? {} : { target: text(entry.target) }),
      ...(entry.major === undefined ? {} : { major: entry.major, minor: entry.minor }),
    };
  };

  it("reads an entry of every kind, and an empty directory", () => {
    const given = vector("directories");
    expect(given.everyKind.pages).toHaveLength(1);
    const page = readDirectoryPage(opened(given.everyKind.pages[0]));
    expect("entries" in page && page.entries.map(asGiven)).toEqual(
      given.everyKind.entries.map((entry: { size?: number; fileHash?: unknown }) =>
        entry.size === 0 ? { ...entry, fileHash: undefined, content: undefined } : entry,
      ),
    );
    expect(readDirectoryPage(opened(given.empty.pages[0]))).toEqual({ level: 0, entries: [] });
  });

  it("reads what sparse files say of their data", () => {
    const given = vector("sparse-entries");
    const page = readDirectoryPage(opened(given.pages[0]));
    expect("entries" in page && page.entries.map(asGiven)).toEqual(given.entries);
  });

  it("reads extent pages of both levels", () => {
    const given = vector("extents");
    for (const { count, result, pages } of [given.nine, given.many]) {
      const byId = new Map<string, Page>(pages.map((page: Page) => [page.id, page]));
      const read = (id: Uint8Array) => readExtentPage({ ...opened(byId.get(hex(id))!), type: 3 });
      const below = (id: Uint8Array): { length: number; id: string | null; offset: number }[] => {
        let from = 0;
        const { level, rows } = read(id);
        return rows.flatMap(({ end, id: child, offset }) => {
          const length = end - from;
          from = end;
          if (level > 0) return below(child!);
          return [{ length, id: child === null ? null : hex(child), offset }];
        });
      };
      const wanted = Array.from({ length: count }, (_, i) =>
        i % 10 === 9
          ? { length: 2 ** 32 + i, id: null, offset: 0 }
          : { length: 4000, id: hex(seededId(`extent ${i % 700}`)), offset: i % 96 },
      );
      expect(below(base64(result.id))).toEqual(wanted);
    }
  });

  it("reads a list of xattrs to its end", () => {
    const list = new Cursor(Uint8Array.of(2, 1, 0x61, 0, 2, 0x61, 0x62, 1, 7), "list");
    expect(readAttributes(list)).toHaveLength(2);
    list.end();
  });
});
