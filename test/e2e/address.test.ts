// A gateway that is somewhere else from now on: enrolled machines are told where, and go there only if it is the same one.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { done, enroll, holdfast, lastEvent, makeSource, openSite, runGateway } from "./program.ts";

test("agent address leads to the same gateway at another port, and to no other gateway", {
  timeout: 120_000,
}, async () => {
  const [site, other] = [await openSite(), await openSite()];
  const state = await enroll(site, "laptop");
  const source = makeSource(site.folder);
  const backup = ["agent", "backup", source, "--state", state, "--json"];
  const address = (...words: string[]) => holdfast("agent", "address", ...words, "--state", state, "--json");
  const enrolment = (): string => readFileSync(join(state, "agent.json"), "utf8");
  await done(...backup);

  // Its listener is at any free port, hence at another one after a restart.
  await site.gateway.stop();
  const gateway = await runGateway(site.data);
  onTestFinished(async () => void (await gateway.stop("SIGKILL")));
  const { url } = JSON.parse(await done("gateway", "status", "--data", site.data, "--json"));
  expect(url).not.toBe(site.url);

  const before = enrolment();
  const refused = await address(other.url);
  expect(refused.status).toBe(1);
  expect(lastEvent(refused.stdout)).toMatchObject({ event: "error", code: "fingerprint-mismatch" });
  const nowhere = await address("https://127.0.0.1:1");
  expect(lastEvent(nowhere.stdout)).toMatchObject({ event: "error", code: "gateway-unreachable" });
  expect(await address("ftp://somewhere")).toMatchObject({ status: 2 });
  expect(enrolment()).toBe(before);

  expect(lastEvent((await address(url)).stdout)).toMatchObject({ event: "done", url, former: site.url });
  expect((await address()).stdout).toContain(`"url":"${url}"`);
  expect(lastEvent(await done(...backup))).toMatchObject({ event: "done", warnings: 0 });
  const { gateway: at, directory } = JSON.parse(enrolment());
  expect([at.url, ...directory.urls]).toEqual([url, url]);

  await done("device", "revoke", "alice/laptop", "--data", site.data);
  expect(lastEvent((await address(url)).stdout)).toMatchObject({ event: "error", code: "token-invalid" });
});
