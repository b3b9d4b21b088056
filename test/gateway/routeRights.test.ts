// Every route of the listener, asked with every kind of credential: what is let through is what docs/security.md says, and nothing else.

import { readFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import fastify, { type HTTPMethods } from "fastify";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GatewayDrives } from "../../appliance/drive/gatewayDrives.ts";
import { AuditAdministration } from "../../gateway/admin/auditOperations.ts";
import { PeerAdministration } from "../../gateway/admin/peerOperations.ts";
import { guardRoutes } from "../../gateway/api/askers.ts";
import { routeRights } from "../../gateway/api/routeRights.ts";
import { listen } from "../../gateway/api/server.ts";
import { issueToken } from "../../gateway/auth/tokens.ts";
import { tokenScopes } from "../../gateway/catalog/accessTokens.ts";
import { DiskForecast } from "../../gateway/health/diskForecast.ts";
import { GatewayMetrics } from "../../gateway/metrics/gatewayMetrics.ts";
import { GatewayFixture, type TestDevice } from "./gatewayFixture.ts";
import { addInvite } from "./inviteFixture.ts";

let fixture: GatewayFixture;
let drives: GatewayDrives;
let device: TestDevice;
const shown = new Map<string, string>();
let nowMs = Date.now();

beforeAll(async () => {
  fixture = await GatewayFixture.create({ now: () => new Date(nowMs) });
  drives = new GatewayDrives(fixture.gateway);
  await fixture.listening.app.close();
  fixture.listening = await listen(fixture.gateway, "127.0.0.1:0", {
    front: drives.web,
    metrics: new GatewayMetrics({
      gateway: fixture.gateway,
      forecast: new DiskForecast(fixture.gateway),
      drives,
    }),
    operations: fixture.administration,
  });
  const anna = await fixture.account("anna");
  device = await fixture.device(anna, "laptop");
  const { token } = await fixture.client().login("anna", anna.l);
  const { password } = await fixture.administration.addAppPassword("anna", { label: "" });
  const peer = await new PeerAdministration(fixture.gateway).addPeer({
    name: "far",
    quotaBytes: null,
    holdSeconds: 60,
  });
  const box = issueToken("box");
  fixture.gateway.catalog.boxes.add({
    ...{
      number: 3,
      id: "ab".repeat(16),
      kind: "seed",
      name: "box 3",
      state: "prepared",
      created: "2026-11-26T00:00:00.000Z",
    },
    ...{
      accounts: [],
      signer: "cd".repeat(32),
      tokenHash: box.hash.toString("hex"),
      fingerprint: "SHA256:00",
      urls: [],
      seal: null,
    },
  });
  const access = (role: "auditor" | "operator", label: string) =>
    fixture.administration.tokens.create({ role, label, scopes: [], expiresInSeconds: 3600 });
  const invite = await addInvite(fixture, anna);
  const bearer = {
    ...{ login: token, device: device.token, peer: peer.token, box: box.token },
    invite: invite.token,
  };
  for (const [kind, text] of Object.entries(bearer)) shown.set(kind, `Bearer ${text}`);
  for (const role of ["auditor", "operator"] as const)
    shown.set(role, `Bearer ${(await access(role, role)).token}`);
  shown.set("app-password", `Basic ${Buffer.from(`anna:${password}`).toString("base64")}`);
});
afterAll(async () => {
  await drives.close();
  await fixture.remove();
});

let from = "127.0.0.1";

type Answer = { readonly status: number; readonly text: string };

function ask(method: string, path: string, authorization?: string, body?: object): Promise<Answer> {
  const json = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...(authorization !== undefined && { authorization }),
    ...(json !== undefined && { "content-type": "application/json", "content-length": json.length }),
  };
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: "127.0.0.1",
        port: fixture.listening.port,
        rejectUnauthorized: false,
        agent: false,
        localAddress: from,
        method,
        path,
        headers,
      },
      (response) => {
        let text = "";
        response.on("data", (piece: Buffer) => {
          text += piece.toString();
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    request.on("error", reject);
    request.end(json);
  });
}

describe("the table", () => {
  test("in docs/security.md is that of the code", () => {
    const page = readFileSync(new URL("../../docs/security.md", import.meta.url), "utf8");
    const section = page.split("## Roles, and who may ask for what")[1]?.split("\n## ")[0] ?? "";
    const said = new Map<string, string>();
    for (const row of section.split("\n").filter((line) => line.startsWith("| `"))) {
      const [, routes = "", who = ""] = row.split("|");
      for (const [, route = ""] of routes.matchAll(/`([^`]+)`/g)) said.set(route, who.trim());
    }
    const coded = Object.entries(routeRights).map(([route, { who }]) => [route, [...who].sort().join(", ")]);
    expect([...said].map(([route, who]) => [route, who.split(", ").sort().join(", ")]).sort()).toEqual(
      coded.sort(),
    );
    for (const scope of tokenScopes) expect(section).toContain(`\`${scope}\``);
    expect(new Set(Object.values(routeRights).flatMap(({ scope }) => scope ?? []))).toEqual(
      new Set(tokenScopes),
    );
  });

  test("has nothing that is not served, and what is not in it cannot be", async () => {
    const { app } = fixture.listening;
    const served = Object.keys(routeRights).filter((route) => {
      const [method, url] = route.split(" ") as [HTTPMethods, string];
      return app.hasRoute({ method, url });
    });
    const ofBoxesAlone = (route: string) => route.includes("/v1/carried/");
    expect(served).toEqual(Object.keys(routeRights).filter((route) => !ofBoxesAlone(route)));
    const other = fastify();
    guardRoutes(other);
    other.get("/v1/me", async () => ({}));
    expect(() => other.get("/v1/more", async () => ({}))).toThrow("nobody may ask for GET /v1/more");
    expect(() => other.delete("/v1/me", async () => ({}))).toThrow("DELETE /v1/me");
    expect((await other.inject({ url: "/v1/me" })).json()).toMatchObject({ message: "this needs a token" });
  });
});

test("each credential opens its routes and no others, and none opens what is for anybody only", async () => {
  const opened: string[] = [];
  let routes = 0;
  for (const [route, { who }] of Object.entries(routeRights)) {
    // The metrics' own token opens nothing else (metrics.test.ts).
    if (route.includes("/v1/carried/") || route === "GET /metrics") continue;
    const [method = "", pattern = ""] = route.split(" ");
    const path = pattern
      .replace(":vault", device.vault)
      .replace("/jobs/:id", "/jobs/1")
      .replace(/:(sha256|id)/, "ab".repeat(32))
      .replace(/:(session|upload)/, "cd".repeat(16))
      .replace(/:name/, "x")
      .replace(":list", "packs")
      .replace("*", "x");
    for (const [kind, authorization] of [...shown, ["nobody", undefined] as const]) {
      const { status, text } = await ask(method, path, authorization);
      const refused = status === 401 || (status === 403 && (method === "HEAD" || text.includes("forbidden")));
      const may = who.includes("anybody") || who.some((each) => each === kind);
      if (refused === may) opened.push(`${kind} ${route}: ${status} ${text.slice(0, 100)}`);
    }
    // So many wrong credentials from one address would be paced.
    from = `127.0.${++routes}.1`;
  }
  from = "127.0.0.1";
  expect(opened).toEqual([]);
});

describe("access tokens", () => {
  const bearer = (token: string) => `Bearer ${token}`;

  test("tell accounts without what belongs to their owners, and change only what their role may", async () => {
    const auditor = shown.get("auditor");
    const accounts = JSON.parse((await ask("GET", "/v1/admin/accounts", auditor)).text) as object[];
    expect(accounts).toHaveLength(1);
    expect(Object.keys(accounts[0] ?? {}).sort()).toEqual([
      "access",
      "created",
      "devices",
      "disabled",
      "escrows",
      "id",
      "name",
      "vaults",
    ]);
    const prune = { dryRun: false };
    expect((await ask("POST", "/v1/admin/retention/prune", auditor, prune)).status).toBe(403);
    expect((await ask("POST", "/v1/admin/retention/prune", shown.get("operator"), prune)).status).toBe(200);
    const run = await ask("POST", "/v1/admin/replicas/run", shown.get("operator"), {
      name: "x",
      takeOver: true,
    });
    expect(run.text).toContain("forbidden");
    const missing = await ask("POST", "/v1/admin/replicas/run", shown.get("operator"), {
      name: "x",
      takeOver: false,
    });
    expect(missing.text).toContain("not-found");
    const verified = await ask("POST", "/v1/admin/audit/verify", auditor, { heads: [] });
    expect(JSON.parse(verified.text.trim().split("\n").at(-1) ?? "")).toMatchObject({
      result: { problems: [] },
    });
    const audit = new AuditAdministration(fixture.gateway);
    const pruned = (await audit.list({ after: 0, limit: 1000, event: "retention.pruned" })).entries;
    expect(pruned).toMatchObject([
      { actor: { kind: "access-token", label: "operator" }, address: "127.0.0.1" },
    ]);
  });

  test("an operator collects garbage, checks and drills; no file's name is told", async () => {
    const operator = shown.get("operator");
    const result = ({ text }: Answer) => JSON.parse(text.trim().split("\n").at(-1) ?? "").result;
    const request = { dryRun: false, evicted: false, budgetBytes: 1e9, forSeconds: 60 };
    expect(result(await ask("POST", "/v1/admin/gc", operator, request))).toMatchObject({
      vaults: [{ account: "anna", records: 0 }],
      held: [],
    });
    expect((await ask("POST", "/v1/admin/gc", shown.get("auditor"), request)).status).toBe(403);
    expect((await ask("POST", "/v1/admin/gc/stop", operator, {})).text).toBe('{"ran":false}');
    const audit = new AuditAdministration(fixture.gateway);
    const collected = (await audit.list({ after: 0, limit: 1000, event: "garbage.collected" })).entries;
    expect(collected).toMatchObject([{ actor: { kind: "access-token", label: "operator" } }]);
    // What an unlocked vault's owner and administrators are told.
    const { administration } = fixture;
    const hurt = { snapshot: "ab".repeat(32), path: "/home/anna/secret", why: "gone" };
    const { check, drill } = administration;
    Object.assign(administration, {
      check: async (...asked: Parameters<typeof check>) => {
        const { vaults } = await check(...asked);
        return { vaults: vaults.map((vault) => ({ ...vault, files: [hurt] })) };
      },
      drill: async () => ({ vaults: [{ vault: device.vault, report: {}, wrong: [hurt] }], locked: [] }),
    });
    try {
      const checked = await ask("POST", "/v1/admin/check", operator, { readShare: 1, limit: "" });
      expect(result(checked).vaults).toMatchObject([{ vault: device.vault, problems: [], files: null }]);
      const drilled = await ask("POST", "/v1/admin/drill", operator, { files: 1, bytes: 1, seed: "00" });
      expect(result(drilled).vaults).toMatchObject([{ vault: device.vault, wrong: [] }]);
      for (const { text } of [checked, drilled]) expect(text).not.toContain("secret");
    } finally {
      Object.assign(administration, { check, drill });
    }
    for (const role of ["auditor", "operator"]) {
      expect((await ask("GET", "/v1/admin/scrub?rows=0", shown.get(role))).status).toBe(200);
      expect((await ask("GET", "/v1/admin/drills", shown.get(role))).text).toBe("[]");
    }
  });

  test("are held to their scopes, end in time or when they are revoked, and are kept as hashes", async () => {
    const { tokens } = fixture.administration;
    const made = {
      role: "auditor",
      label: "two",
      scopes: ["status", "audit"],
      expiresInSeconds: 60,
    } as const;
    const { token, id, ...row } = await tokens.create(made);
    expect(row).toMatchObject({ role: "auditor", scopes: ["status", "audit"], expired: false });
    const status = async (path: string) => (await ask("GET", path, bearer(token))).status;
    expect([await status("/v1/admin/status"), await status("/v1/admin/devices")]).toEqual([200, 403]);
    expect(JSON.stringify(fixture.gateway.catalog.accessTokens.list())).not.toContain(token.slice(4));
    nowMs += 61_000;
    expect(await status("/v1/admin/status")).toBe(401);
    expect((await tokens.list()).find((each) => each.id === id)).toMatchObject({ expired: true });
    const other = await tokens.create({ ...made, label: "three", expiresInSeconds: 3600 });
    expect((await ask("GET", "/v1/admin/status", bearer(other.token))).status).toBe(200);
    await tokens.revoke("three");
    expect((await ask("GET", "/v1/admin/status", bearer(other.token))).status).toBe(401);
    await expect(tokens.revoke("three")).rejects.toThrow("no such access token");
    await expect(tokens.create(made)).rejects.toThrow("already");
    await expect(tokens.create({ ...made, label: "four", scopes: ["prune"] })).rejects.toThrow(
      "nothing of prune",
    );
    await expect(tokens.create({ ...made, label: "" })).rejects.toThrow("label");
    await tokens.revoke(id);
  });

  test("open nothing below /dav, and no other credential opens theirs", async () => {
    expect((await ask("PROPFIND", "/dav/", shown.get("operator"))).status).toBe(401);
    expect((await ask("GET", "/v1/admin/status", bearer(`hfa_${"x".repeat(43)}`))).status).toBe(401);
  });
});
