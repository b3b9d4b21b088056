// Has a running gateway collect garbage again and again, until this is ended: node collecting.ts DATA
//
// Over the gateway's admin socket, as the command does it, but in one process: the start of a command for each would take more of the CPU
// than the collection. Each that comes to its end is told of in a line of JSON.

import { AdminClient } from "../../../gateway/admin/adminClient.ts";

const [data = ""] = process.argv.slice(2);
const operations = new AdminClient(data);
const { signal } = new AbortController();
const request = { dryRun: false, evicted: false, budgetBytes: null, forSeconds: null };
process.stdout.write("ready\n");
for (;;) {
  const { vaults, held } = await operations.gc(request, { onProgress: () => {}, signal });
  if (held.length > 0) throw new Error("a collection was held");
  const sum = (field: "records" | "freedBytes" | "copiedBytes"): number =>
    vaults.reduce((total, vault) => total + vault[field], 0);
  const done = { records: sum("records"), freed_bytes: sum("freedBytes"), copied_bytes: sum("copiedBytes") };
  process.stdout.write(`${JSON.stringify(done)}\n`);
}
