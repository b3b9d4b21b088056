// What docs/security.md promises of logs holds for replicas too: keys to buckets, tokens of peers, the gateway's secret and recovery key and the
// keys of vaults are in nothing that is printed, at the most talkative level, while replicas are added, refused, run, verified and restored from.

import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openSealedState } from "../../gateway/replica/gatewayState/sealedState.ts";
import { parsePeerToken } from "../../gateway/replica/peer/tokenFile.ts";
import { parseRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import { ofBytes, ofText, Printed, type Secret, secretsIn } from "../e2e/printed.ts";
import { makeSource, scratchFolder } from "../e2e/program.ts";

const s3 = {
  id: "AKIAEXAMPLEEXAMPLE00",
  secret: "wJalr/XUtnFEMI+K7MDENG/bPxRfiCYEXAMPLE",
  session: "FwoGZXIvYXdzEXAMPLE",
};

/** A server that refuses all requests, and repeats what it was sent, as S3 servers do. */
async function refusingServer(): Promise<{ server: Server; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume();
    response.writeHead(403, { "content-type": "application/xml" });
    const { authorization } = request.headers;
    const token = String(request.headers["x-amz-security-token"]);
    response.end(
      `<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><StringToSign>${authorization}</StringToSign><Token>${token}</Token></Error>`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { server, seen };
}

test("no secret of a replica is in what gateways and commands print", async () => {
  const folder = scratchFolder();
  const printed = new Printed();
  const at = (name: string) => join(folder, name);
  const write = (name: string, text: string) => writeFileSync(at(name), text, { mode: 0o600 });
  write("password", "correct horse battery staple\n");
  write(
    "s3.keys",
    `[default]\naws_access_key_id = ${s3.id}\naws_secret_access_key = ${s3.secret}\naws_session_token = ${s3.session}\n`,
  );
  const password = ["--password-file", at("password")];

  const start = async (name: string) => {
    const words = ["--data", at(name), "--listen", "127.0.0.1:0", "--recovery-key-file", at(`${name}.key`)];
    await printed.run(0, "gateway", "init", ...words);
    const config = join(at(name), "config.toml");
    const settings = readFileSync(config, "utf8");
    writeFileSync(config, settings.replace(/^log-level = .*$/m, 'log-level = "trace"'));
    const gateway = printed.start(["gateway", "run", "--data", at(name)]);
    await gateway.printed(/gateway is listening/);
    const status = await printed.run(0, "gateway", "status", "--data", at(name), "--json");
    return { gateway, ...(JSON.parse(status) as { url: string; fingerprint: string }) };
  };
  const box = await start("box");
  const centre = await start("centre");
  const data = ["--data", at("box")];
  await printed.run(
    0,
    ...["account", "add", "alice", ...data, ...password, "--kdf-iterations", "210000"],
    ...["--recovery-key-file", at("alice.key")],
  );
  await printed.run(
    0,
    ...["agent", "enroll", box.url, "--account", "alice", ...password, "--fingerprint", box.fingerprint],
    ...["--device", "laptop", "--state", at("state")],
  );
  await printed.run(0, "agent", "backup", makeSource(folder), "--state", at("state"));

  const peer = (...words: string[]) => printed.run(0, "peer", ...words, "--data", at("centre"));
  await peer("add", "branch", "--token-file", at("first.token"), "--json");
  await peer("list", "--json");
  const replica = (status: number, ...words: string[]) => printed.run(status, "replica", ...words, ...data);
  await replica(0, "add", "usb", `file://${at("usb")}`);
  await replica(0, "add", "dc", centre.url, "--token-file", at("first.token"));
  await replica(0, "run", "dc");
  await peer("rotate", "branch", "--token-file", at("second.token"));
  await replica(1, "run", "dc", "--json");

  const refusing = await refusingServer();
  const { port } = refusing.server.address() as AddressInfo;
  const bucket = ["s3://bucket/x", "--endpoint", `http://127.0.0.1:${port}`];
  await replica(1, "add", "cloud", ...bucket, "--credentials-file", at("s3.keys"));
  await replica(1, "add", "cloud", ...bucket, "--credentials-file", at("s3.keys"), "--profile", "none");
  const withKeys = `${s3.id}:${s3.secret}@bucket`;
  for (const kind of ["s3:", "http:", "https:", "ftp:"])
    await replica(2, "add", "cloud", `${kind}//${withKeys}`);
  await replica(
    2,
    "add",
    "cloud",
    "s3://bucket/x",
    "--endpoint",
    `http://${s3.id}:${s3.secret}@127.0.0.1:${port}`,
  );

  await replica(0, "verify", "usb", "--share", "100%", "--json");
  await replica(0, "status", "--json");
  const restore = (status: number, url: string, name: string, ...words: string[]) =>
    printed.run(
      status,
      ...["gateway", "restore-from", url, "--data", at(name), "--listen", "127.0.0.1:0", "--json"],
      ...["--recovery-key-file", at("box.key"), ...words],
    );
  await restore(0, centre.url, "from-peer", "--token-file", at("second.token"));
  await restore(0, `file://${at("usb")}`, "from-folder", "--keep-remote");
  await restore(1, bucket[0]!, "from-bucket", ...bucket.slice(1), "--credentials-file", at("s3.keys"));
  await restore(1, centre.url, "from-nowhere", "--token-file", at("first.token"));
  const restored = printed.start(["gateway", "run", "--data", at("from-peer")]);
  await restored.printed(/gateway is listening/);
  await printed.run(0, "replica", "run", "dc", "--take-over", "--data", at("from-peer"));
  await printed.run(0, "replica", "status", "--json", "--data", at("from-peer"));
  for (const gateway of [restored, box.gateway, centre.gateway]) {
    expect((await gateway.stop("SIGTERM")).status).toBe(0);
  }

  const recoveryKey = readFileSync(at("box.key"), "utf8").trim();
  const { id } = JSON.parse(readFileSync(join(at("box"), "gateway.json"), "utf8")) as { id: string };
  const privateKey = parseRecoveryKey("gateway", recoveryKey);
  const sealed = openSealedState(readFileSync(join(at("box"), "gateway", "sealed.json")), privateKey, id);
  const tlsLines = sealed.tls.key.split("\n").filter((line) => line.length > 40);
  expect(tlsLines.length).toBeGreaterThan(0);
  const all: Secret[] = [
    ...[s3.secret, s3.session].map((text) => ofText("keys to a bucket", text)),
    ...["first.token", "second.token"].map((name) =>
      ofText(`the token of ${name}`, parsePeerToken(readFileSync(at(name), "utf8")).token),
    ),
    ofText("the gateway's recovery key", recoveryKey),
    ofBytes("the gateway's recovery key, its bytes", privateKey),
    ofBytes("the gateway's secret", Buffer.from(sealed.secret, "base64")),
    ...Object.values(sealed.metadataKeys).map((key) => ofBytes("a metadata key", Buffer.from(key, "base64"))),
    ...tlsLines.map((line) => ofText("the TLS key", line)),
  ];
  expect(Object.values(sealed.metadataKeys)).toHaveLength(1);
  expect(secretsIn(printed.text, all)).toEqual([]);
  expect(printed.text).not.toMatch(/hfr_[\w-]{20}/);
  // It was searched where something is.
  expect(refusing.seen.length).toBeGreaterThan(0);
  expect(printed.text).toContain("HTTP 403");
  expect(centre.gateway.stderr).toContain("peer has a new token");
  expect(box.gateway.stderr).toContain("replication");
});
