// A datacentre and a box of it, in this process: prepared by the datacentre's administration, opened with the box key.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import type { PrepareRequest } from "../../../gateway/admin/seedOperations.ts";
import { Administration } from "../../../gateway/administration.ts";
import { type Listening, listen } from "../../../gateway/api/server.ts";
import { Gateway } from "../../../gateway/gateway.ts";
import type { SealReport } from "../../../gateway/seed/seal/sealBox.ts";
import { GatewayClient } from "../../../ingest/client/gatewayClient.ts";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { boxUnlockKey, openBoxKeyAtDatacentre, parseBoxDocument } from "../../../vault/seed/boxDocument.ts";
import { dataRecord, GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "../gatewayFixture.ts";
import { quickHasher } from "../quickHasher.ts";

export const unwatched = { onProgress: () => undefined, signal: new AbortController().signal };

/** What is asked for a box of one account; its passphrase is not meant to be typed. */
export function prepareRequest(
  directory: string,
  accounts: readonly string[],
  rest: Partial<PrepareRequest> = {},
): PrepareRequest {
  const kdf = { suite: 1 as const, iterations: 210_000, salt: randomBytes(32).toString("base64") };
  return {
    directory,
    accounts,
    devices: [],
    listen: "127.0.0.1:0",
    urls: ["https://127.0.0.1:9"],
    datacentreUrls: [],
    by: "tester",
    key: { kdf, r: randomBytes(24).toString("base64") },
    ...rest,
  };
}

/** The key of a box that a datacentre made. */
export async function boxKeyAt(datacentre: Gateway, directory: string): Promise<Buffer> {
  const { identity } = datacentre.dataDir;
  const document = parseBoxDocument(await readFile(join(directory, "box.json")));
  const secret = Buffer.from(identity.secret, "base64");
  return openBoxKeyAtDatacentre(document, boxUnlockKey(secret, fromHex(identity.id, 16)));
}

/** A box that is open in this process. */
export class OpenBox {
  readonly gateway: Gateway;
  readonly administration: Administration;
  readonly listening: Listening;
  readonly #clients: GatewayClient[] = [];

  private constructor(gateway: Gateway, listening: Listening) {
    this.gateway = gateway;
    this.administration = new Administration(gateway);
    this.listening = listening;
  }

  static async open(
    directory: string,
    boxKey: Uint8Array,
    packBytesTarget: number = 100_000,
  ): Promise<OpenBox> {
    const gateway = await Gateway.open(directory, {
      logger: pino({ level: process.env.TEST_LOG ?? "silent" }),
      now: () => new Date(),
      version: "0.0.0-test",
      hasher: quickHasher,
      packBytesTarget,
      boxKey,
    });
    return new OpenBox(gateway, await listen(gateway));
  }

  client(token?: string): GatewayClient {
    const { fingerprint } = this.gateway.dataDir;
    const client = new GatewayClient({ url: this.listening.url, fingerprint, token, triesMax: 1 });
    this.#clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.listening.app.close();
    await this.gateway.close();
  }
}

/** Makes a box in `directory` and opens it. */
export async function makeBox(
  datacentre: GatewayFixture,
  directory: string,
  accounts: readonly string[],
  rest: Partial<PrepareRequest> = {},
): Promise<OpenBox> {
  const urls = { datacentreUrls: [datacentre.listening.url] };
  await datacentre.administration.seed.prepare(prepareRequest(directory, accounts, { ...urls, ...rest }));
  return await OpenBox.open(directory, await boxKeyAt(datacentre.gateway, directory));
}

export type Committed = {
  readonly snapshot: string;
  readonly root: Buffer;
  readonly chunks: readonly Buffer[];
};

/** Commits a snapshot of random content through a gateway that the client speaks to. */
export async function commitOn(
  client: GatewayClient,
  device: TestDevice,
  itemName: string,
  contents: readonly Uint8Array[] = [randomBytes(60_000), randomBytes(60_000)],
): Promise<Committed> {
  const item = await client.putItem(itemName);
  const { session } = await client.startSession({
    vault: device.vault,
    item: item.id,
    highestSequence: item.sequence,
  });
  const data = contents.map((content) => dataRecord(device, content));
  const page = pageRecord(
    device,
    data.map(({ id }) => id),
    `page ${itemName} ${item.sequence}`,
  );
  await client.records(
    session,
    data.map(({ record }) => record),
  );
  await client.records(session, [page.record]);
  const object = snapshotOf(device, item, item.sequence + 1, item.head, page.id);
  await client.commit(session, object.bytes);
  return { snapshot: toHex(object.id), root: page.id, chunks: data.map(({ id }) => id) };
}

const cleanups: (() => Promise<void> | void)[] = [];

/** Closes and removes what `makeSite` and `boxOf` made: for `afterEach`. */
export async function removeSites(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** A datacentre with an account "acme" and its device "front-desk". */
export type Site = {
  readonly scratch: string;
  readonly datacentre: GatewayFixture;
  readonly device: TestDevice;
};

export async function makeSite(): Promise<Site> {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-box-"));
  cleanups.push(() => rmSync(scratch, { recursive: true, force: true }));
  const datacentre = await GatewayFixture.create({}, join(scratch, "datacentre"));
  cleanups.push(() => datacentre.stop());
  const device = await datacentre.device(await datacentre.account("acme"), "front-desk");
  return { scratch, datacentre, device };
}

/** An open box of the site's account, or of others; `removeSites` closes it. */
export async function boxOf(
  { scratch, datacentre }: Site,
  name = "box",
  accounts: readonly string[] = ["acme"],
  rest: Partial<PrepareRequest> = {},
): Promise<OpenBox> {
  const box = await makeBox(datacentre, join(scratch, name), accounts, rest);
  cleanups.push(() => box.close());
  return box;
}

export function seal(box: OpenBox): Promise<SealReport> {
  return box.administration.seed.seal({ by: "tester", dryRun: false }, unwatched);
}
