// Jobs about boxes that are asked to stop, in this process and over the admin socket: nothing was done, or what was done is told.

import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { AdminClient } from "../../../gateway/admin/adminClient.ts";
import type { AbandonProgress } from "../../../gateway/admin/importOperations.ts";
import type { JobWatch } from "../../../gateway/admin/job.ts";
import { listenAdmin } from "../../../gateway/api/adminApp.ts";
import type { AcceptProgress } from "../../../gateway/seed/acceptSeal.ts";
import { writeBundle } from "../../../gateway/seed/seal/bundle.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { boxOf, commitOn, makeSite, removeSites, type Site, seal, unwatched } from "./boxFixture.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await removeSites();
});

const asked = new HoldfastError(ErrorCode.cancelled, "stopped by a test", { next: "Go on." });

/** A watch whose signal fires when `when` says so. */
function stopping<Progress>(
  when: (progress: Progress) => boolean,
): JobWatch<Progress> & { seen: Progress[] } {
  const stop = new AbortController();
  const seen: Progress[] = [];
  const onProgress = (progress: Progress): void => {
    seen.push(progress);
    if (when(progress)) stop.abort(asked);
  };
  return { onProgress, signal: stop.signal, seen };
}

/** A sealed box with two snapshots. */
async function sealedBox(site: Site) {
  const box = await boxOf(site);
  for (const name of ["one", "two"]) await commitOn(box.client(site.device.token), site.device, name);
  await seal(box);
  return box;
}

const stateOf = ({ datacentre }: Site): string => datacentre.gateway.catalog.boxes.get(1)!.state;

test("giving up: before it begins nothing happens, from there on it is done and told so, over the socket too", async () => {
  const site = await makeSite();
  const { datacentre } = site;
  const box = await sealedBox(site);
  await box.administration.seed.send(unwatched);
  const before = stopping<AbandonProgress>(() => false);
  const { imports } = datacentre.administration;
  const told = await imports.abandon({ box: 1, dryRun: true }, before);
  expect(before.seen.at(-1)).toEqual({ phase: "counting", snapshotsDone: 2, snapshots: 2 });
  expect(told.needs).toBeGreaterThan(0);
  expect(told.lostBytes).toBeGreaterThan(0);
  expect(told.waiting).toHaveLength(2);
  const signal = AbortSignal.abort(asked);
  await expect(imports.abandon({ box: 1, dryRun: false }, { ...unwatched, signal })).rejects.toBe(asked);
  expect(stateOf(site)).toBe("sealed");
  const { gateway, administration } = datacentre;
  const admin = await listenAdmin(gateway, administration);
  ends.push(() => admin.close());
  const client = new AdminClient(datacentre.path);
  await expect(client.imports.abandon({ box: 1, dryRun: false }, { ...unwatched, signal })).rejects.toBe(
    asked,
  );
  expect(stateOf(site)).toBe("sealed");
  const late = stopping<AbandonProgress>(({ phase }) => phase === "ending");
  const report = await client.imports.abandon({ box: 1, dryRun: false }, late);
  expect(late.signal.aborted).toBe(true);
  expect(report).toMatchObject({ box: 1, lostBytes: told.lostBytes });
  expect(stateOf(site)).toBe("abandoned");
  // Whatever was counted by then: what was foretold is what is needed.
  expect(await imports.abandon({ box: 1, dryRun: false }, unwatched)).toEqual(told);
});

test("a manifest from a file: stopped at any point it does not count, and the same goes on", async () => {
  const site = await makeSite();
  const box = await sealedBox(site);
  const file = join(site.scratch, "box-1.hfb");
  await writeBundle(box.gateway.dataDir.path, file);
  const { seed } = site.datacentre.administration;
  const admin = await listenAdmin(site.datacentre.gateway, site.datacentre.administration);
  ends.push(() => admin.close());
  for (const at of ["reading", "checking", "promising"] as const) {
    const watch = stopping<AcceptProgress>(({ phase }) => phase === at);
    await expect(seed.promise(file, watch)).rejects.toBe(asked);
    expect(stateOf(site)).toBe("prepared");
    for (const { bytesDone, bytes } of watch.seen) expect(bytesDone).toBeLessThanOrEqual(bytes);
  }
  const { accepted } = await new AdminClient(site.datacentre.path).seed.promise(file, unwatched);
  expect(accepted).toMatchObject({ box: 1, snapshots: 2, forked: 0 });
  expect(stateOf(site)).toBe("sealed");
});

test("opening a box again: stopped while the datacentre is asked, it is sealed as before", async () => {
  const site = await makeSite();
  const box = await sealedBox(site);
  const { seed } = box.administration;
  await seed.send(unwatched);
  const asking = stopping<{ phase: string }>(({ phase }) => phase === "asking");
  await expect(seed.reopen("tester", asking)).rejects.toMatchObject({ code: "cancelled" });
  expect(await seed.seal({ by: "tester", dryRun: false }, unwatched)).toMatchObject({
    already: true,
    seal: 1,
  });
  const opening = stopping<{ phase: string }>(({ phase }) => phase === "opening");
  expect(await seed.reopen("tester", opening)).toEqual({ box: 1, seal: 1 });
  expect(opening.signal.aborted).toBe(true);
});
