// The platform inside worker threads: several at once, each with its own, coming and going.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, expect, test } from "vitest";

const here = import.meta.dirname;
const source = `
  import { parentPort, workerData } from "node:worker_threads";
  import { selectPlatform } from ${JSON.stringify(join(here, "../../../agent/platform/select.ts"))};
  import { StatTable } from ${JSON.stringify(join(here, "../../../agent/platform/statTable.ts"))};
  const warnings = [];
  process.on("warning", (warning) => warnings.push(String(warning)));
  const platform = selectPlatform();
  const table = new StatTable(16);
  let sizes = 0;
  for (let round = 0; round < 50; round++) {
    const top = platform.openDirectory(Buffer.from(workerData));
    const listing = platform.list(top);
    platform.statListed(top, listing, 0, listing.count, table);
    for (let row = 0; row < listing.count; row++) sizes += table.size(row);
    const file = platform.openFile(top, Buffer.from("f1"));
    sizes += platform.read(file, Buffer.alloc(100), 0) + platform.xattrs(file, new Uint8Array(0)).length;
    platform.close(file);
    platform.close(top);
  }
  setImmediate(() => parentPort.postMessage({ sizes, name: platform.capabilities.name, warnings }));
`;

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "platform-worker-"));
  for (let index = 0; index < 10; index++) writeFileSync(join(root, `f${index}`), "x".repeat(index));
  writeFileSync(join(root, "worker.mjs"), source);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function run(forced: string): Promise<{ sizes: number; name: string; warnings: string[] }> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(root, "worker.mjs"), {
      workerData: root,
      env: { ...process.env, HOLDFAST_PLATFORM: forced },
    });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

test.each(["linux", "portable"])("%s platform in six workers, three at a time", async (forced) => {
  const expected = 50 * (45 + source.length + 1);
  for (let round = 0; round < 2; round++) {
    const results = await Promise.all([run(forced), run(forced), run(forced)]);
    for (const result of results) expect(result).toEqual({ sizes: expected, name: forced, warnings: [] });
  }
});
