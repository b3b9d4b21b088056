// The box is gone, and so is its token: a new token from the datacentre and the recovery key bring everything back from the peer.

import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { done, openSite, scratchFolder } from "../e2e/program.ts";
import { eventsOf, holdfast, Site } from "../faults/program.ts";
import { changeSource, describeTree } from "../faults/sourceTree.ts";
import { randomFrom } from "../fidelity/random.ts";

test("restore-from a peer, from adding it to reading a snapshot", async () => {
  const datacentre = await openSite();
  const scratch = scratchFolder();
  const [source, target, first, second] = ["source", "target", "first.token", "second.token"].map((name) =>
    join(scratch, name),
  ) as [string, string, string, string];
  const far = ["--url", datacentre.url, "--data", datacentre.data];
  await done("peer", "add", "box", "--token-file", first, ...far);
  mkdirSync(source);
  changeSource(source, randomFrom(11), 0);
  const tree = describeTree(source);
  const box = await Site.create(join(scratch, "box"));
  const { snapshot } = await box.backup([source]);
  await done("replica", "add", "offsite", datacentre.url, "--token-file", first, "--data", box.data);
  await done("replica", "run", "offsite", "--data", box.data);
  await box.stop();
  renameSync(box.data, join(scratch, "burnt"));

  await done("peer", "rotate", "box", "--token-file", second, ...far);
  const data = join(scratch, "new");
  const command = (token: string): string[] => [
    ...["gateway", "restore-from", datacentre.url, "--token-file", token, "--data", data, "--json"],
    ...["--recovery-key-file", join(box.folder, "gateway-recovery-key")],
  ];
  const refused = await holdfast(command(first), { statuses: [1] });
  expect(eventsOf(refused).at(-1)).toMatchObject({ event: "error", code: "replica-refused" });
  const restored = eventsOf(await holdfast(command(second))).at(-1);
  expect(restored).toMatchObject({ event: "done", replica: "offsite", damage: [] });

  const again = box.with({ data, state: box.state });
  await again.start();
  try {
    expect(await again.snapshots()).toEqual([snapshot]);
    await again.runAgent(["restore", `${snapshot}:${source}`, "--target", target]);
    expect(describeTree(target)).toEqual(tree);
    // The replica is this gateway's from the moment that it is told so.
    const fenced = await holdfast(["replica", "run", "offsite", "--data", data], { statuses: [1] });
    expect(fenced.stderr).toContain("another gateway writes");
    await done("replica", "run", "offsite", "--take-over", "--data", data);
  } finally {
    await again.stop();
  }
});
