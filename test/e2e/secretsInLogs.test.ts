// What docs/security.md promises of logs: they name accounts, devices, ids and sizes, never a secret.
//
// A gateway at its most talkative level and every command that touches a secret run for real; then all that any of them
// printed is searched for every secret that there was, in every form in which bytes become text.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { expect, test } from "vitest";
import { appPasswordHash, makeAppPassword, readAppPassword } from "../../gateway/auth/appPasswordText.ts";
import { parseInviteFile } from "../../ingest/client/inviteFile.ts";
import { publicKeyOf } from "../../vault/keys/box.ts";
import { inviteToken } from "../../vault/keys/invite.ts";
import { deriveLogin } from "../../vault/keys/kdf.ts";
import {
  openWithEscrow,
  openWithPassword,
  parseKeysDocument,
  passwordKdf,
} from "../../vault/keys/keysDocument.ts";
import { formatRecoveryKey, parseRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import { canMount, tool } from "../fs/fuse/mounting.ts";
import { ofBytes, ofText, Printed, type Secret, secretsIn } from "./printed.ts";
import { makeSource, Program, scratchFolder } from "./program.ts";

/** An Authorization header for WebDAV, without its first word. */
function basicOf(password: string): string {
  return Buffer.from(`alice:${password}`).toString("base64");
}

type Answer = { readonly status: number; readonly text: string };

/** One request past our own client. */
function ask(
  url: string,
  options: {
    readonly method?: string;
    readonly token?: string;
    readonly basic?: string;
    readonly body?: string;
  },
): Promise<Answer> {
  const { method = "GET", token, basic, body } = options;
  const headers = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(basic !== undefined && { authorization: `Basic ${basicOf(basic)}` }),
    ...(body !== undefined && { "content-type": "application/json" }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, rejectUnauthorized: false, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.once("error", reject);
    sent.end(body);
  });
}

test("the search finds a planted secret in every form", () => {
  const secret = ofBytes("planted", Buffer.from("the secret of this test, 32 bytes"));
  for (const form of secret.forms) {
    expect(secretsIn(`{"level":10,"x":"${form}"}`, [secret])).toEqual(["planted"]);
    expect(secretsIn(`x ${form.toUpperCase()} y`, [secret])).toEqual(["planted"]);
  }
  expect(secretsIn("nothing", [secret, ofText("password", "hunter2")])).toEqual([]);
  expect(secretsIn(JSON.stringify({ l: Buffer.from("hunter2") }), [ofText("password", "hunter2")])).toEqual([
    "password",
  ]);
});

test("no secret is in what gateway and agent print, at the most talkative level", async () => {
  const folder = scratchFolder();
  const printed = new Printed();
  const at = (name: string) => join(folder, name);
  const [data, state, source, restored] = [at("data"), at("state"), makeSource(folder), at("restored")];
  const passwords = {
    password: "correct horse battery staple",
    second: "Schloss-Neuschwanstein 1869",
    third: "nine brown foxes leap",
    wrong: "this is not the password",
  };
  for (const [name, text] of Object.entries(passwords)) writeFileSync(at(name), `${text}\n`, { mode: 0o600 });
  const fileOf = (name: keyof typeof passwords) => ["--password-file", at(name)];

  await printed.run(
    0,
    ...["gateway", "init", "--data", data, "--listen", "127.0.0.1:0", "--recovery-key-file", at("grk")],
  );
  const config = join(data, "config.toml");
  const settings = readFileSync(config, "utf8");
  writeFileSync(config, settings.replace(/^log-level = .*$/m, 'log-level = "trace"'));
  expect(readFileSync(config, "utf8")).toContain('\nlog-level = "trace"\n');
  const gateway = printed.start(["gateway", "run", "--data", data]);
  await gateway.printed(/gateway is listening/);
  await printed.run(
    0,
    ...["account", "add", "alice", "--data", data, ...fileOf("password"), "--kdf-iterations", "210000"],
    ...["--recovery-key-file", at("ark")],
  );
  const { url, fingerprint } = JSON.parse(
    await printed.run(0, "gateway", "status", "--data", data, "--json"),
  ) as { url: string; fingerprint: string };

  const enroll = (device: string, password: keyof typeof passwords, where: string) => [
    ...["agent", "enroll", url, "--account", "alice", ...fileOf(password), "--fingerprint", fingerprint],
    ...["--device", device, "--state", where],
  ];
  await printed.run(1, ...enroll("laptop", "wrong", state));
  await printed.run(0, ...enroll("laptop", "password", state));
  const enrollment = JSON.parse(readFileSync(join(state, "agent.json"), "utf8")) as {
    vault: string;
    token: string;
    privateKey: string;
  };
  const document = await ask(`${url}/v1/vaults/${enrollment.vault}/keys`, { token: enrollment.token });
  const keysAtFirst = parseKeysDocument(document.text);

  await printed.run(0, "agent", "backup", source, "--state", state);
  await printed.run(1, "vault", "unlock", "alice", "--data", data, ...fileOf("wrong"));
  await printed.run(0, "vault", "unlock", "alice", "--data", data, ...fileOf("password"));
  if (canMount()) {
    for (const [name, ...words] of [
      ["drive-gateway", "gateway", "mount", at("drive-gateway"), "--data", data],
      ["drive-agent", "agent", "mount", at("drive-agent"), "--state", state, "--foreground"],
    ] as const) {
      mkdirSync(at(name));
      const mounting = printed.start(words);
      if (name === "drive-agent") await mounting.printed(/The drive is at/);
      else expect((await mounting.ended()).status).toBe(0);
      const seen = join(at(name), "alice", "laptop", "files", "latest", source);
      await expect.poll(() => existsSync(seen)).toBe(true);
      await tool('diff -r --no-dereference "$1" "$2"', source, seen);
      if (name === "drive-agent") expect((await mounting.stop("SIGINT")).status).toBe(0);
      else await tool('umount "$1"', at(name));
    }
  }
  await printed.run(0, "agent", "restore", "latest", "--target", restored, "--state", state, "--json");
  await printed.run(0, "agent", "check", "--read-data", "100%", "--state", state, "--json");
  // Printed once, by the command that makes it: not among what is searched.
  const appPassword = (
    await new Program(["account", "app-password", "alice", "--data", data]).ended()
  ).stdout.trim();
  expect(appPassword).toMatch(/^hfp-/);
  await printed.run(0, "account", "app-password", "list", "alice", "--data", data);
  await printed.run(0, "account", "app-password", "list", "alice", "--data", data, "--json");
  // WebDAV: the right one, one that was never made, and what a person types there by mistake, all refused or served.
  const dav = `${url}/dav/alice/laptop/files/latest${source}/a.txt`;
  expect(await ask(dav, { basic: appPassword })).toEqual({ status: 200, text: "first\n" });
  const strangePassword = makeAppPassword().text;
  for (const basic of [strangePassword, passwords.password, passwords.wrong])
    expect((await ask(dav, { basic })).status).toBe(401);
  expect((await ask(dav, { method: "PUT", basic: appPassword, body: "x" })).status).toBe(403);
  expect((await ask(`${dav}%zz`, { basic: appPassword })).status).toBe(400);
  await printed.run(0, "vault", "lock", "alice", "--data", data);

  // Past our own client: a login whose token is known here, and requests that are refused for what they carry.
  const login = (l: string) =>
    ask(`${url}/v1/login`, { method: "POST", body: JSON.stringify({ account: "alice", l }) });
  const kdf = passwordKdf(keysAtFirst)!;
  const keys = await deriveLogin(passwords.password, kdf);
  const wrong = await deriveLogin(passwords.wrong, kdf);
  const loggedIn = await login(keys.l.toString("base64"));
  expect(loggedIn.status).toBe(200);
  const { token: loginToken, accountId } = JSON.parse(loggedIn.text) as { token: string; accountId: string };
  expect((await ask(`${url}/v1/me`, { token: loginToken })).status).toBe(200);
  const unknownToken = `hfd_${Buffer.alloc(32, "unknown token").toString("base64url")}`;
  expect((await ask(`${url}/v1/me`, { token: unknownToken })).status).toBe(401);
  const misshapen = "L-of-the-wrong-shape".repeat(3);
  expect((await login(misshapen)).status).toBe(400);
  expect((await ask(`${url}/v1/login`, { method: "POST", body: `{"l":"${misshapen}"` })).status).toBe(400);

  const change = ["account", "password", "alice", "--data", data];
  await printed.run(1, ...change, ...fileOf("wrong"), "--new-password-file", at("second"));
  await printed.run(0, ...change, ...fileOf("password"), "--new-password-file", at("second"));
  await printed.run(
    0,
    ...["account", "recover", "alice", "--data", data, "--recovery-key-file", at("ark"), ...fileOf("third")],
  );
  await printed.run(0, ...enroll("desktop", "third", at("state-desktop")));
  const inviting = ["account", "invite", "alice", "--data", data, ...fileOf("third"), "--url", url];
  await printed.run(0, ...inviting, "--out", at("invites"), "--json");
  const [inviteName = ""] = readdirSync(at("invites"));
  const invite = parseInviteFile(readFileSync(join(at("invites"), inviteName), "utf8"));
  const byInvite = ["agent", "enroll", "--invite", join(at("invites"), inviteName), "--device", "till"];
  await printed.run(0, ...byInvite, "--state", at("state-till"));
  await printed.run(1, ...byInvite, "--state", at("state-late"));
  await printed.run(0, "account", "invite", "list", "alice", "--data", data, "--json");
  await printed.run(0, "vault", "unlock", "alice", "--data", data, ...fileOf("third"));
  await printed.run(0, "escrow", "keygen", "--out", at("escrow"));
  const escrowKey = readFileSync(at("escrow"), "utf8").trim();
  const escrowPublic = formatRecoveryKey("escrowPublic", publicKeyOf(parseRecoveryKey("escrow", escrowKey)));
  const escrow = ["--name", "legal", "--public-key", escrowPublic, ...fileOf("third")];
  await printed.run(0, "account", "escrow", "add", "alice", "--data", data, ...escrow);
  await printed.run(0, "device", "revoke", "alice/laptop", "--rotate", "--data", data, ...fileOf("third"));
  await printed.run(1, "agent", "backup", source, "--state", state);
  expect((await gateway.stop("SIGTERM")).status).toBe(0);

  const { secrets, e } = openWithPassword(keysAtFirst, keys.r);
  const keysFolder = join(data, "vaults", enrollment.vault, "keys");
  const newest = readdirSync(keysFolder).sort().at(-1) as string;
  const keysAtLast = parseKeysDocument(readFileSync(join(keysFolder, newest)));
  const rotated = openWithEscrow(keysAtLast, parseRecoveryKey("escrow", escrowKey));
  expect(rotated.secrets.epochs.size).toBe(2);
  const others = ["state-desktop", "state-till"].map(
    (name) =>
      JSON.parse(readFileSync(join(at(name), "agent.json"), "utf8")) as { token: string; privateKey: string },
  );
  const recoveryKeys = [
    ["account", readFileSync(at("ark"), "utf8").trim()],
    ["gateway", readFileSync(at("grk"), "utf8").trim()],
    ["escrow", escrowKey],
  ] as const;
  const all: Secret[] = [
    ...Object.entries(passwords).map(([name, text]) => ofText(`the password "${name}"`, text)),
    ofBytes("L", keys.l),
    ofBytes("R", keys.r),
    ofBytes("L of the wrong password", wrong.l),
    ofBytes("E", e),
    ofBytes("S", secrets.s),
    ofBytes("E after a rotation", rotated.e),
    ...[...rotated.secrets.epochs].map(([epoch, a]) => ofBytes(`A of epoch ${epoch}`, a)),
    ...[...keysAtFirst.wraps, ...keysAtLast.wraps].map(({ kind, box }) =>
      ofBytes(`the wrap "${kind}"`, Buffer.from(box, "base64")),
    ),
    ofBytes("the ring's box", Buffer.from(keysAtFirst.ring, "base64")),
    ...recoveryKeys.flatMap(([kind, text]) => [
      ofText(`the recovery key of the ${kind}`, text),
      ofText(`the recovery key of the ${kind} without dashes`, text.replaceAll("-", "")),
      ofBytes(`the recovery key of the ${kind}, its bytes`, parseRecoveryKey(kind, text)),
    ]),
    ofBytes("an invite's secret", invite.secret),
    ofText("an invite's token", inviteToken(invite.secret, invite.invite)),
    ...[enrollment, ...others].flatMap(({ token, privateKey }) => [
      ofText("a device token", token),
      ofBytes("a device's private key", Buffer.from(privateKey, "base64")),
    ]),
    ofText("an app password", appPassword),
    ofText("an app password that was never made", strangePassword),
    ...[appPassword, strangePassword, passwords.password, passwords.wrong].map((each) =>
      ofText("an Authorization header", basicOf(each).replace(/=+$/, "")),
    ),
    ofText("an app password without dashes", appPassword.replaceAll("-", "")),
    ofText("an app password without its prefix", appPassword.slice(4)),
    ofBytes("an app password's hash", appPasswordHash(accountId, readAppPassword(appPassword)!)),
    ofText("a login token", loginToken),
    ofText("an unknown token", unknownToken),
    ofText("a misshapen L", misshapen),
  ];
  // Changes of the password and the second device made further ones, whose values nobody here knows: by their prefix.
  expect(printed.text).not.toMatch(/hf[dlv]_[\w-]{20}/);
  expect(printed.text).not.toMatch(/HF[AGE]-?[0-9A-Z]{8}/);
  expect(printed.text).not.toMatch(/hfp-?[0-9a-z]{5}/i);
  expect(secretsIn(printed.text, all)).toEqual([]);
  // It was searched where something is: the gateway logged requests, refusals and ids.
  expect(gateway.stderr).toContain("/v1/login");
  expect(gateway.stderr).toContain("auth-failed");
  expect(gateway.stderr).toContain(enrollment.vault);
});
