// A real gateway in a directory of its own, with accounts and devices whose keys the test holds.

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { Administration } from "../../gateway/administration.ts";
import { type Listening, listen } from "../../gateway/api/server.ts";
import { initDataDir } from "../../gateway/dataDir.ts";
import { Gateway, type GatewayOptions } from "../../gateway/gateway.ts";
import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import type { EnrollAnswer } from "../../ingest/wire/messages.ts";
import { toHex } from "../../vault/bytes.ts";
import { chunkId } from "../../vault/chunkId.ts";
import { generateKeyPair } from "../../vault/keys/box.ts";
import { createKeysDocument, parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import type { OpenedKeys } from "../../vault/keys/ring.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { makeDeviceWrap } from "../../vault/keys/wraps.ts";
import { RecordType } from "../../vault/magic.ts";
import { sealRecord } from "../../vault/record.ts";
import { encodeSnapshot } from "../../vault/snapshot.ts";
import { createVaultDocument } from "../../vault/vaultDocument.ts";
import { quickHasher } from "./quickHasher.ts";

export type TestAccount = {
  readonly name: string;
  readonly id: string;
  readonly vault: string;
  readonly l: Buffer;
  readonly r: Buffer;
  readonly opened: OpenedKeys;
  readonly keys: VaultKeys;
};

export type TestDevice = EnrollAnswer & { readonly client: GatewayClient; readonly account: TestAccount };

export class GatewayFixture {
  readonly path: string;
  readonly #options: Partial<GatewayOptions>;
  /** What goes with the fixture: the directory, with the scratch folder around it where it is in one. */
  readonly #scratch: string;
  fingerprint = "";
  recoveryKey = "";
  gateway!: Gateway;
  listening!: Listening;
  administration!: Administration;
  readonly #clients: GatewayClient[] = [];

  constructor(path: string, options: Partial<GatewayOptions>, scratch = path) {
    this.path = path;
    this.#scratch = scratch;
    this.#options = options;
  }

  static async create(options: Partial<GatewayOptions> = {}, path?: string): Promise<GatewayFixture> {
    const scratch = path ?? (await mkdtemp(join(tmpdir(), "holdfast-gateway-")));
    const folder = path ?? join(scratch, "data");
    const fixture = new GatewayFixture(folder, options, scratch);
    const made = await initDataDir(folder, {
      settings: { name: "test", listen: "127.0.0.1:0", reserveMiB: 0 },
      now: new Date(),
    });
    fixture.fingerprint = made.fingerprint;
    fixture.recoveryKey = made.recoveryKey;
    await fixture.start();
    return fixture;
  }

  async start(more: Partial<GatewayOptions> = {}): Promise<void> {
    this.gateway = await Gateway.open(this.path, {
      logger: pino({ level: process.env.TEST_LOG ?? "silent" }),
      now: () => new Date(),
      version: "0.0.0-test",
      hasher: quickHasher,
      ...this.#options,
      ...more,
    });
    this.administration = new Administration(this.gateway);
    this.listening = await listen(this.gateway);
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close();
    await this.listening.app.close();
    await this.gateway.close();
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.#scratch, { recursive: true, force: true });
  }

  client(token?: string, triesMax = 1): GatewayClient {
    const { url } = this.listening;
    const client = new GatewayClient({ url, fingerprint: this.fingerprint, token, triesMax });
    this.#clients.push(client);
    return client;
  }

  async account(name: string): Promise<TestAccount> {
    const { l, r, opened, request } = newAccount(name);
    const { id, vault } = await this.administration.addAccount(request);
    return { name, id, vault, l, r, opened, keys: new VaultKeys(opened.secrets) };
  }

  /** Logs in and enrols a device. */
  async device(
    account: TestAccount,
    name: string,
    isolated = false,
    appendOnly = false,
  ): Promise<TestDevice> {
    const anonymous = this.client();
    const { token } = await anonymous.login(account.name, account.l);
    const person = anonymous.withToken(token);
    const document = parseKeysDocument(await person.keysDocument(account.vault));
    const pair = generateKeyPair();
    const id = toHex(randomBytes(16));
    const wrap = makeDeviceWrap(document, account.opened.e, id, pair.publicKey);
    const answer = await person.enroll({
      id,
      name,
      publicKey: wrap.public,
      isolated,
      ...(appendOnly && { appendOnly }),
      wraps: { [account.vault]: { generation: document.generation, box: wrap.box, proof: wrap.proof! } },
    });
    return { ...answer, client: this.client(answer.token), account };
  }
}

/** The item of that name, made where it is new, and a session for its next snapshot. */
export async function beginSession({ client, vault }: Pick<TestDevice, "client" | "vault">, name = "files") {
  const item = await client.putItem(name);
  const asked = { vault, item: item.id, highestSequence: item.sequence };
  return { item, ...(await client.startSession(asked)) };
}

/** What a client makes for a new account. */
export function newAccount(name: string) {
  const vaultId = toHex(randomBytes(16));
  const accountId = toHex(randomBytes(16));
  const l = randomBytes(24);
  const r = randomBytes(24);
  const salt = randomBytes(32);
  const recovery = generateKeyPair();
  const kdf = { suite: 1 as const, iterations: 600_000, salt };
  const opened = createKeysDocument({ vaultId, accountId, r, kdf, recoveryPublic: recovery.publicKey });
  const keys = new VaultKeys(opened.secrets);
  const request = {
    name,
    kdf: { suite: 1 as const, iterations: 600_000, salt: salt.toString("base64") },
    l: l.toString("base64"),
    recoveryPublic: recovery.publicKey.toString("base64"),
    vaultDocument: createVaultDocument({
      id: vaultId,
      account: accountId,
      name: "main",
      created: new Date().toISOString(),
    }),
    keysDocument: opened.document,
    metadataKey: keys.metadataKey.toString("base64"),
  };
  return { l, r, opened, recovery, request };
}

export type TestRecord = { readonly id: Buffer; readonly record: Buffer };

/** A sealed data record of random or given content. */
export function dataRecord(device: TestDevice, content: Uint8Array = randomBytes(2000)): TestRecord {
  const { keys } = device.account;
  const refs = Buffer.alloc(0);
  const id = chunkId(keys.idKey(device.group), RecordType.data, refs, content);
  return {
    id,
    record: sealRecord({ keys, group: device.group, type: RecordType.data, plaintext: content, refs, id }),
  };
}

/** A sealed directory page with these references (its content is not a real page; the gateway cannot tell). */
export function pageRecord(device: TestDevice, children: readonly Buffer[], content = "page"): TestRecord {
  const { keys } = device.account;
  const refs = Buffer.concat(children);
  const plaintext = Buffer.from(content);
  const id = chunkId(keys.idKey(device.group), RecordType.directory, refs, plaintext);
  return {
    id,
    record: sealRecord({ keys, group: device.group, type: RecordType.directory, plaintext, refs, id }),
  };
}

/** A snapshot object for an item. */
export function snapshotOf(
  device: TestDevice,
  item: { readonly id: string },
  sequence: number,
  previous: string | null,
  root: Buffer,
): { id: Buffer; bytes: Buffer } {
  return encodeSnapshot({
    keys: device.account.keys,
    header: {
      flags: { incomplete: false },
      group: device.group,
      deviceId: Buffer.from(device.id, "hex"),
      itemId: Buffer.from(item.id, "hex"),
      sequence,
      previous: previous === null ? Buffer.alloc(32) : Buffer.from(previous, "hex"),
      root,
    },
    body: {
      time: new Date().toISOString(),
      device: "d",
      item: "i",
      host: "h",
      paths: ["/x"],
      files: 1,
      dirs: 1,
      others: 0,
      bytes: 1,
      warnings: 0,
      agent: "test",
      chunker: "fastcdc-1",
      features: { read: [] },
    },
  });
}

/** The bytes of a record with the id of another, which nobody without a key can tell from that one. */
export function posingAs(id: Buffer, { record }: Pick<TestRecord, "record">): Buffer {
  const posing = Buffer.from(record);
  id.copy(posing, 24);
  return posing;
}
