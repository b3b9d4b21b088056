import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { selectPlatform } from "../../agent/platform/select.ts";
import { gatewayOf, gatewayVaults } from "../../agent/source/gatewayData.ts";
import { AdminClient } from "../../gateway/admin/adminClient.ts";
import { adminSocketPath } from "../../gateway/admin/adminSocket.ts";
import { openAdmin } from "../../gateway/admin/openAdmin.ts";
import { initDataDir, readDataDir, sealedContext } from "../../gateway/dataDir.ts";
import { Gateway } from "../../gateway/gateway.ts";
import { parseListen } from "../../gateway/listenAddress.ts";
import { openSealedState } from "../../gateway/replica/gatewayState/sealedState.ts";
import { RunningGateway } from "../../gateway/runningGateway.ts";
import { parseSettings, settingsDefault } from "../../gateway/settings.ts";
import { formatSettings } from "../../gateway/settingsText.ts";
import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import { probeGateway } from "../../ingest/client/pinnedAgent.ts";
import { toHex } from "../../vault/bytes.ts";
import { openPublicBox, publicKeyOf } from "../../vault/keys/box.ts";
import { parseRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { newAccount } from "./gatewayFixture.ts";

const options = { logger: pino({ level: "silent" }), now: () => new Date(), version: "0" };
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-data-"));
  path = join(folder, "data");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function init(): Promise<Awaited<ReturnType<typeof initDataDir>>> {
  return await initDataDir(path, { settings: { listen: "127.0.0.1:0", name: "box" }, now: new Date() });
}

test("init makes a directory that only its owner reads, once", async () => {
  const { fingerprint } = await init();
  expect((await readDataDir(path)).fingerprint).toBe(fingerprint);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  for (const file of ["gateway.json", "tls/key.pem", "config.toml", "gateway/sealed.json"]) {
    expect(statSync(join(path, file)).mode & 0o777).toBe(0o600);
  }
  await expect(init()).rejects.toMatchObject({ code: "exists" });
});

test("an agent knows it by its id, and where its vaults are", async () => {
  const { id } = await init();
  const platform = selectPlatform();
  const directory = platform.openDirectory(Buffer.from(path));
  expect(gatewayOf(platform, directory)).toBe(id);
  platform.close(directory);
  expect(existsSync(join(path, gatewayVaults.toString()))).toBe(true);
});

test("the recovery key opens sealed.json: settings, TLS identity and metadata keys", async () => {
  const { recoveryKey, id } = await init();
  const gateway = await Gateway.open(path, options);
  const { Administration } = await import("../../gateway/administration.ts");
  const { request } = newAccount("anna");
  const { vault } = await new Administration(gateway).addAccount(request);
  await gateway.close();
  const sealed = JSON.parse(readFileSync(join(path, "gateway/sealed.json"), "utf8")) as { box: string };
  const key = parseRecoveryKey("gateway", recoveryKey);
  const text = openPublicBox(key, publicKeyOf(key), sealedContext(id), Buffer.from(sealed.box, "base64"));
  const state = JSON.parse(text.toString()) as { tls: { key: string }; metadataKeys: Record<string, string> };
  expect(state.tls.key).toBe(readFileSync(join(path, "tls/key.pem"), "utf8"));
  expect(state.metadataKeys).toEqual({ [vault]: request.metadataKey });
});

test("a stop between a new vault and its seal, and settings that changed meanwhile: sealed again at the next start", async () => {
  const { recoveryKey, id } = await init();
  const key = parseRecoveryKey("gateway", recoveryKey);
  const sealed = () => openSealedState(readFileSync(join(path, "gateway/sealed.json")), key, id);
  const first = await Gateway.open(path, options);
  const row = { account: "aa".repeat(16), keysGeneration: 1, created: "2026-11-25T00:00:00Z" };
  const metadataKey = Buffer.alloc(32, 5).toString("base64");
  // As the transaction of a new vault leaves it, when the process is killed behind it.
  first.catalog.vaults.add({ ...row, id: "cc".repeat(16), name: "main", metadataKey });
  await first.close();
  const config = readFileSync(join(path, "config.toml"), "utf8");
  writeFileSync(join(path, "config.toml"), config.replace(/^name = .*$/m, 'name = "other"'));
  const second = await Gateway.open(path, options);
  expect(sealed().metadataKeys).toEqual({ ["cc".repeat(16)]: metadataKey });
  expect(sealed().settings.name).toBe("other");
  // Two at a time: what is sealed last is what was there last.
  const turns = [second.sealing.bring()];
  second.catalog.vaults.add({ ...row, id: "dd".repeat(16), name: "two", metadataKey });
  turns.push(second.sealing.bring());
  await Promise.all(turns);
  expect(Object.keys(sealed().metadataKeys)).toHaveLength(2);
  const before = readFileSync(join(path, "gateway/sealed.json"));
  await second.close();
  await (await Gateway.open(path, options)).close();
  expect(readFileSync(join(path, "gateway/sealed.json")), "nothing changed").toEqual(before);
});

test("closing waits for long work that somebody began, however that ends", async () => {
  await init();
  const gateway = await Gateway.open(path, options);
  const ended: string[] = [];
  const end = Promise.withResolvers<void>();
  gateway.attend(end.promise.then(() => void ended.push("work")));
  gateway.attend(Promise.reject(new Error("this one failed")));
  const closed = gateway.close().then(() => ended.push("closed"));
  await new Promise((resolve) => setImmediate(resolve));
  end.resolve();
  await closed;
  expect(ended).toEqual(["work", "closed"]);
});

test("two gateways on one directory: the second is refused, also from another process, until the first is gone", async () => {
  await init();
  const first = await Gateway.open(path, options);
  await expect(Gateway.open(path, options)).rejects.toMatchObject({ code: "data-dir-locked" });
  const script = `
    import { lockDirectory } from ${JSON.stringify(join(import.meta.dirname, "../../gateway/dataLock.ts"))};
    await lockDirectory(${JSON.stringify(path)}).then(() => console.log("locked"), (error) => console.log(error.code));
  `;
  const other = () =>
    spawnSync(process.execPath, ["--input-type=module", "-e", script]).stdout.toString().trim();
  expect(other()).toBe("data-dir-locked");
  await first.close();
  expect(other()).toBe("locked");
  const second = await Gateway.open(path, options);
  await second.close();
});

test("a directory that is none, is damaged, or is of a newer format is refused clearly", async () => {
  await expect(Gateway.open(path, options)).rejects.toMatchObject({ code: "data-dir-invalid" });
  await init();
  const file = join(path, "gateway.json");
  const good = readFileSync(file, "utf8");
  writeFileSync(file, good.replace('"version": 1', '"version": 2'));
  await expect(Gateway.open(path, options)).rejects.toMatchObject({ code: "unsupported" });
  writeFileSync(file, good.slice(0, 30));
  await expect(Gateway.open(path, options)).rejects.toMatchObject({ code: "data-dir-invalid" });
  writeFileSync(file, good);
  const gateway = await Gateway.open(path, options);
  const { Administration } = await import("../../gateway/administration.ts");
  const { vault } = await new Administration(gateway).addAccount(newAccount("anna").request);
  await gateway.close();
  const vaultFile = join(path, "vaults", vault, "vault.json");
  const document = readFileSync(vaultFile, "utf8");
  const reopened = async (): Promise<string> => {
    const again = await Gateway.open(path, options);
    try {
      return await again.vault(vault).then(
        () => "opened",
        (error: { code: string }) => error.code,
      );
    } finally {
      await again.close();
    }
  };
  writeFileSync(vaultFile, document.replace(/"version": ?1/, '"version": 2'));
  expect(await reopened()).toBe("unsupported");
  writeFileSync(vaultFile, document.replace(/"read": ?\[\]/, '"read": ["time-travel-1"]'));
  expect(await reopened()).toBe("unsupported");
  writeFileSync(vaultFile, document);
  expect(await reopened()).toBe("opened");
});

test("settings: round trip, unknown keys and bad values are named", () => {
  const settings = { ...settingsDefault, name: 'a "b"', listen: "[::1]:99", reserveMiB: 5 };
  expect(parseSettings(formatSettings(settings))).toEqual(settings);
  expect(() => parseSettings("colour = 1")).toThrow("unknown key colour");
  expect(() => parseSettings("listen = 7")).toThrow("listen");
  expect(() => parseSettings('listen = "7"')).toThrow("HOST:PORT");
  expect(() => parseSettings('tls-cert = "x"')).toThrow("together");
  expect(() => parseSettings("= =")).toThrow("config.toml");
  expect(parseListen("0.0.0.0:7440")).toEqual({ host: "0.0.0.0", port: 7440 });
});

test("administration works the same over the socket and in this process; unlock stays with the running gateway", async () => {
  await init();
  const { request, opened } = newAccount("anna");
  const alone = await openAdmin(path, options);
  expect(alone.running).toBe(false);
  const { vault } = await alone.operations.addAccount(request);
  await alone.close();
  const running = await RunningGateway.start(path, options);
  try {
    expect(statSync(adminSocketPath(path)).mode & 0o777).toBe(0o600);
    const admin = await openAdmin(path, options);
    expect(admin.running).toBe(true);
    const { operations } = admin;
    expect(await operations.accounts()).toMatchObject([{ name: "anna", disabled: false, devices: 0 }]);
    await expect(operations.addAccount(request)).rejects.toMatchObject({ code: "exists" });
    await expect(operations.setDisabled("nobody", true)).rejects.toMatchObject({ code: "not-found" });
    const secrets = {
      s: toHex(opened.secrets.s),
      epochs: { "1": toHex(opened.secrets.epochs.get(1)!) },
      currentEpoch: 1,
      forSeconds: 3600,
    };
    await expect(
      operations.unlock(vault, { ...secrets, epochs: { "1": "ab".repeat(32) } }),
    ).rejects.toMatchObject({
      code: "key-wrong",
    });
    await operations.unlock(vault, secrets);
    expect(await operations.vaults("anna")).toMatchObject([
      { id: vault, unlocked: true, unlockedForSeconds: 3600 },
    ]);
    expect(running.gateway.unlocked.keys(vault)).toBeInstanceOf(VaultKeys);
    expect(await operations.lock(vault)).toBe(true);
    expect(() => running.gateway.unlocked.keys(vault)).toThrow("locked");
    expect(await operations.status()).toMatchObject({
      url: running.url,
      pid: process.pid,
      name: "box",
      accounts: 1,
    });
    expect(await operations.keysDocuments("anna")).toHaveLength(1);
    await expect(new AdminClient(folder).status()).rejects.toMatchObject({ code: "gateway-unreachable" });
  } finally {
    await running.stop();
  }
  expect(existsSync(adminSocketPath(path))).toBe(false);
});

test("a path longer than a socket's address: requests and jobs reach the gateway, and nothing stays open", async () => {
  const short = path;
  path = join(folder, "long".repeat(40), "data");
  const descriptors = () => readdirSync("/proc/self/fd").length;
  await init();
  const running = await RunningGateway.start(path, options);
  const client = new AdminClient(path);
  try {
    expect(adminSocketPath(path).length).toBeGreaterThan(107);
    expect(statSync(adminSocketPath(path)).mode & 0o777).toBe(0o600);
    expect(await client.status()).toMatchObject({ name: "box" });
    const open = descriptors();
    for (let i = 0; i < 20; i++) await client.status();
    const watch = { onProgress: () => {}, signal: new AbortController().signal };
    expect(await client.check({ readShare: 0, limit: "unlimited" }, watch)).toMatchObject({ vaults: [] });
    await expect.poll(descriptors).toBeLessThanOrEqual(open);
    // Another gateway's socket is no neighbour's.
    await expect(new AdminClient(short).status()).rejects.toMatchObject({ code: "gateway-unreachable" });
  } finally {
    await running.stop();
  }
  expect(existsSync(adminSocketPath(path))).toBe(false);
  await expect(client.status()).rejects.toMatchObject({ code: "gateway-unreachable" });
  await expect(new AdminClient(join(path, "gone")).status()).rejects.toMatchObject({
    code: "gateway-unreachable",
  });
});

test("the client speaks only to the pinned key, and says what it found", async () => {
  const { fingerprint } = await init();
  const running = await RunningGateway.start(path, options);
  try {
    expect(await probeGateway(running.url)).toEqual({ fingerprint, trusted: false });
    const hello = (pin?: string) =>
      new GatewayClient({ url: running.url, fingerprint: pin, triesMax: 1 }).hello();
    expect(await hello(fingerprint)).toMatchObject({ name: "box", protocols: [1] });
    await expect(hello(`SHA256:${"0".repeat(64)}`)).rejects.toMatchObject({ code: "fingerprint-mismatch" });
    // Without a pin a known authority must vouch, and none does.
    await expect(hello(undefined)).rejects.toMatchObject({ code: "gateway-unreachable" });
    const api = await new GatewayClient({ url: running.url, fingerprint }).hello();
    expect(api.version).toBe("0");
  } finally {
    await running.stop();
  }
  await expect(
    new GatewayClient({ url: running.url, fingerprint, triesMax: 2 }).hello(),
  ).rejects.toMatchObject({ code: "gateway-unreachable" });
});

test("OpenAPI names every route; healthz needs no token; another protocol version is refused", async () => {
  await init();
  const running = await RunningGateway.start(path, options);
  try {
    const { fetchJson } = await import("./fetchJson.ts");
    const api = (await fetchJson(`${running.url}/v1/openapi.json`)).body as {
      paths: Record<string, unknown>;
    };
    expect(Object.keys(api.paths).sort()).toMatchSnapshot();
    expect((await fetchJson(`${running.url}/healthz`)).body).toEqual({ ok: true });
    const refused = await fetchJson(`${running.url}/v1/hello`, { "holdfast-protocol": "2" });
    expect(refused).toMatchObject({ status: 400, body: { error: { code: "unsupported" } } });
    expect((await fetchJson(`${running.url}/nowhere`)).body).toMatchObject({ error: { code: "not-found" } });
  } finally {
    await running.stop();
  }
});
