// What the routes of boxes let in.

import { afterEach, expect, test } from "vitest";
import { fetchJson } from "../fetchJson.ts";
import { boxOf, makeSite, removeSites } from "./boxFixture.ts";

afterEach(removeSites);

test("a box's token opens the routes of boxes and no other; nothing else opens them", async () => {
  const site = await makeSite();
  const box = await boxOf(site);
  const { token } = box.gateway.dataDir.box!.secrets;
  const { url } = site.datacentre.listening;
  const as = (who: string) => ({ authorization: `Bearer ${who}` });
  expect(await fetchJson(`${url}/v1/seed`, as(token))).toMatchObject({
    status: 200,
    body: { box: 1, state: "prepared", seal: 0 },
  });
  for (const wrong of [`hfx_${"A".repeat(43)}`, site.device.token, "", token.replace("hfx_", "hfd_")]) {
    expect(await fetchJson(`${url}/v1/seed`, as(wrong))).toMatchObject({ status: 401 });
  }
  for (const path of ["/v1/me", "/v1/home", "/v1/peer/usage"]) {
    expect(await fetchJson(`${url}${path}`, as(token))).toMatchObject({ status: 401 });
  }
});

test("bodies and places that are none are refused", async () => {
  const site = await makeSite();
  const box = await boxOf(site);
  const { token } = box.gateway.dataDir.box!.secrets;
  const binary = "application/octet-stream";
  const list = (name: string): string => `/v1/seed/lists/${name}?seal=1&offset=0`;
  for (const [method, path, body, type, status] of [
    ["POST", "/v1/seed/manifest", "{}", "application/json", 400],
    ["POST", "/v1/seed/manifest", "no lines", binary, 400],
    ["POST", "/v1/seed/manifest", "x".repeat(300_000), binary, 413],
    ["PUT", list(`${"0".repeat(32)}/packs`), "x", binary, 404],
    ["PUT", list(`${"0".repeat(32)}/other`), "x", binary, 400],
    ["PUT", list("..%2f..%2f/packs"), "x", binary, 400],
    ["POST", "/v1/seed/reopened", '{"seal":-1}', "application/json", 400],
  ] as const) {
    const headers = { authorization: `Bearer ${token}`, "content-type": type };
    const url = `${site.datacentre.listening.url}${path}`;
    expect(await fetchJson(url, headers, { method, body }), `${method} ${path}`).toMatchObject({ status });
  }
});
