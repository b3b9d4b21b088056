// Whatever reads bytes from outside, with sound ones to begin with. What a parser has not in test/vectors it has in corpus/parsers.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeJobs } from "../../agent/restore/jobs.ts";
import { parseByteRange } from "../../fs/webdav/byteRange.ts";
import { parseHttpDate } from "../../fs/webdav/httpDate.ts";
import { parsePropfind } from "../../fs/webdav/propfindBody.ts";
import { parseTarget } from "../../fs/webdav/target.ts";
import { parseBasic } from "../../gateway/api/basicAuth.ts";
import { parseRange } from "../../gateway/api/range.ts";
import { readAppPassword } from "../../gateway/auth/appPasswordText.ts";
import { parseGatewayPart } from "../../gateway/replica/gatewayState/gatewayPart.ts";
import { parseVaultPart } from "../../gateway/replica/gatewayState/vaultPart.ts";
import { parseSchedule } from "../../gateway/replica/job/schedule.ts";
import { parsePeerToken } from "../../gateway/replica/peer/tokenFile.ts";
import { parseIni } from "../../gateway/replica/s3/credentials.ts";
import { parseSettings } from "../../gateway/settings.ts";
import { parseInviteFile } from "../../ingest/client/inviteFile.ts";
import { parseGroupIds } from "../../ingest/wire/idList.ts";
import { ReadStreamParser } from "../../ingest/wire/readStream.ts";
import { ChannelRequestParser } from "../../ingest/wire/recordChannel.ts";
import { parseRecordsAnswer } from "../../ingest/wire/recordStatus.ts";
import { fromHex } from "../../vault/bytes.ts";
import { parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import { ManifestPageType, Width } from "../../vault/magic.ts";
import { parseFooter } from "../../vault/pack/footer.ts";
import { parseFrame } from "../../vault/pack/frame.ts";
import { parsePackHeader } from "../../vault/pack/packHeader.ts";
import { parseTrailer } from "../../vault/pack/trailer.ts";
import { parseRecordHeader } from "../../vault/record.ts";
import { parseIndexSegment } from "../../vault/replica/indexSegment.ts";
import { parseManifestPage } from "../../vault/replica/manifestPage.ts";
import { openReceipt } from "../../vault/replica/receipt.ts";
import { parseRoot } from "../../vault/replica/root.ts";
import { openCatalog, vaultCatalogKey } from "../../vault/replica/sealedCatalog.ts";
import { parseBoxDocument } from "../../vault/seed/boxDocument.ts";
import { readChunkList } from "../../vault/seed/chunkList.ts";
import { parseCustody } from "../../vault/seed/custody.ts";
import { openHomeRecord } from "../../vault/seed/homeRecord.ts";
import { openSeedManifest } from "../../vault/seed/manifest.ts";
import { readPackList } from "../../vault/seed/packList.ts";
import { openSeedReceipt } from "../../vault/seed/seedReceipt.ts";
import { readSnapshotList } from "../../vault/seed/snapshotList.ts";
import { parseSnapshotHeader } from "../../vault/snapshot.ts";
import { parseExtentPage } from "../../vault/tree/extentPage.ts";
import { BranchPage, parsePage } from "../../vault/tree/page.ts";
import { parseXattrs } from "../../vault/tree/xattrs.ts";
import { parseVaultDocument } from "../../vault/vaultDocument.ts";

/** Reads bytes whole; may throw a HoldfastError, and nothing else. */
export type Parser = {
  readonly parse: (bytes: Buffer) => unknown;
  readonly seeds: readonly Buffer[];
};

// biome-ignore lint/suspicious/noExplicitAny: vectors of many forms
const vectors = (name: string): any =>
  JSON.parse(readFileSync(join(import.meta.dirname, "..", "vectors", `${name}.json`), "utf8"));
const base64 = (text: string): Buffer => Buffer.from(text, "base64");
const text = (bytes: Buffer): string => bytes.toString("utf8");

const pack = base64(vectors("pack").bytes);
const footer = pack.subarray(-Width.footer);
const { trailerOffset } = parseFooter(footer, pack.length);
const { roots, pages, segment, receipt, catalogs, secrets } = vectors("replica");
const seed = vectors("seed");
const keys = vectors("keys-document");
const directories = vectors("directories");
const extents = vectors("extents");
const everyKind = directories.everyKind.pages[0];
const fullPage = extents.many.pages[0];
const seedReceipt = vectors("seed-receipt");
const home = vectors("home-record");
const catalogKey = vaultCatalogKey(fromHex(secrets.metadataKey), fromHex(secrets.vaultId));

async function drain(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _row of rows);
}

async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 50) yield bytes.subarray(at, at + 50);
}

/** A directory page, and all that it says. */
function readPage(plaintext: Buffer, refs: Buffer): void {
  const page = parsePage(plaintext, refs);
  for (let row = 0; row < page.rowCount; row++) {
    if (page instanceof BranchPage) page.child(row);
    else page.entry(row);
  }
}

const pageOf = (type: ManifestPageType): Parser => ({
  parse: (bytes) => parseManifestPage(type, bytes),
  seeds: pages
    .filter((page: { type: number }) => page.type === type)
    .map((page: { object: string }) => base64(page.object)),
});
const rootOf = (chain: "vault" | "gateway"): Parser => ({
  parse: (bytes) =>
    parseRoot(
      bytes,
      { chain, id: roots[chain].fields.id, generation: roots[chain].fields.generation },
      undefined,
    ),
  seeds: [Buffer.from(roots[chain].object)],
});
/** Of parsers without vectors: what is in the corpus alone. */
const texts = (parse: (text: string) => unknown): Parser => ({
  parse: (bytes) => parse(text(bytes)),
  seeds: [],
});

export const parsers: Readonly<Record<string, Parser>> = {
  record: {
    parse: parseRecordHeader,
    seeds: vectors("records").records.map((row: { record: string }) => Buffer.from(row.record, "hex")),
  },
  snapshot: { parse: parseSnapshotHeader, seeds: [Buffer.from(vectors("snapshot").snapshot, "hex")] },
  packHeader: { parse: parsePackHeader, seeds: [pack.subarray(0, Width.packHeader)] },
  frame: { parse: parseFrame, seeds: [pack.subarray(Width.packHeader, Width.packHeader + Width.frame)] },
  footer: { parse: (bytes) => parseFooter(bytes, pack.length), seeds: [footer] },
  trailer: { parse: parseTrailer, seeds: [pack.subarray(trailerOffset, -Width.footer)] },
  directoryPage: {
    parse: (bytes) => readPage(bytes, base64(everyKind.refs)),
    seeds: [base64(everyKind.plaintext)],
  },
  extentPage: {
    parse: (bytes) => parseExtentPage(bytes, base64(fullPage.refs)),
    seeds: [base64(fullPage.plaintext), base64(extents.nine.pages[0].plaintext)],
  },
  xattrs: { parse: parseXattrs, seeds: [] },
  vaultRoot: rootOf("vault"),
  gatewayRoot: rootOf("gateway"),
  manifestTop: pageOf(ManifestPageType.top),
  manifestPacks: pageOf(ManifestPageType.packs),
  manifestSnapshots: pageOf(ManifestPageType.snapshots),
  manifestDoomed: pageOf(ManifestPageType.doomed),
  indexSegment: { parse: parseIndexSegment, seeds: [base64(segment.object)] },
  receipt: { parse: (bytes) => openReceipt(bytes, receipt.signer), seeds: [Buffer.from(receipt.object)] },
  sealedCatalog: { parse: (bytes) => openCatalog(bytes, catalogKey), seeds: [base64(catalogs.vault)] },
  gatewayCatalog: { parse: (bytes) => parseGatewayPart(bytes, "00".repeat(16)), seeds: [] },
  vaultCatalog: { parse: (bytes) => parseVaultPart(bytes, "00".repeat(16)), seeds: [] },
  boxDocument: { parse: parseBoxDocument, seeds: [Buffer.from(seed.document)] },
  seedManifest: {
    parse: (bytes) => openSeedManifest(bytes, seed.manifest.signer),
    seeds: [Buffer.from(seed.manifest.text)],
  },
  seedPacks: { parse: (bytes) => drain(readPackList(inPieces(bytes))), seeds: [base64(seed.packs.object)] },
  seedSnapshots: {
    parse: (bytes) => drain(readSnapshotList(inPieces(bytes))),
    seeds: [base64(seed.snapshots.object)],
  },
  seedChunks: {
    parse: (bytes) => drain(readChunkList(inPieces(bytes))),
    seeds: [base64(vectors("chunk-list").object)],
  },
  seedReceipt: {
    parse: (bytes) => openSeedReceipt(bytes, seedReceipt.signer),
    seeds: [Buffer.from(seedReceipt.object)],
  },
  custody: { parse: parseCustody, seeds: [Buffer.from(seed.custody.text)] },
  homeRecord: { parse: (bytes) => openHomeRecord(bytes, home.signer), seeds: [Buffer.from(home.object)] },
  keysDocument: {
    parse: (bytes) => parseKeysDocument(bytes),
    seeds: [keys.document, vectors("escrow").document].map((document) =>
      Buffer.from(typeof document === "string" ? document : JSON.stringify(document)),
    ),
  },
  vaultDocument: {
    parse: parseVaultDocument,
    seeds: [
      Buffer.from(
        typeof keys.vaultDocument === "string" ? keys.vaultDocument : JSON.stringify(keys.vaultDocument),
      ),
    ],
  },
  groupIds: { parse: (bytes) => parseGroupIds(bytes, 4), seeds: [Buffer.alloc(4 + 64, 1)] },
  readStream: {
    parse: (bytes) => new ReadStreamParser(3).push(bytes),
    seeds: [Buffer.concat([Buffer.from([200, 0, 0, 0]), Buffer.alloc(200, 7), Buffer.alloc(4)])],
  },
  channelRequest: {
    parse: (bytes) => new ChannelRequestParser().push(bytes),
    seeds: [Buffer.concat([Buffer.from([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]), Buffer.alloc(32, 3)])],
  },
  recordsAnswer: {
    parse: (bytes) => parseRecordsAnswer(bytes, 3),
    seeds: [Buffer.from([3, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0])],
  },
  restoreJobs: { parse: decodeJobs, seeds: [] },
  settings: texts(parseSettings),
  schedule: texts(parseSchedule),
  s3Credentials: texts(parseIni),
  peerToken: texts(parsePeerToken),
  inviteFile: {
    parse: (bytes) => parseInviteFile(text(bytes)),
    seeds: [Buffer.from(vectors("invite").file)],
  },
  propfind: { parse: parsePropfind, seeds: [] },
  byteRange: texts((header) => parseByteRange(header, 1000)),
  packRange: texts((header) => parseRange(header, 1000)),
  httpDate: texts(parseHttpDate),
  webTarget: texts(parseTarget),
  basicAuth: texts(parseBasic),
  appPassword: texts(readAppPassword),
};
