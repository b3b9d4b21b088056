// Rebuilds the indexes of a data directory and kills itself at the n-th pack that is looked at. Arguments: directory, n.

import { withGateway } from "./sampleVault.ts";

const [path = "", at = "0"] = process.argv.slice(2);
let steps = 0;
const onProgress = (): void => {
  if (++steps === Number(at)) process.kill(process.pid, "SIGKILL");
};
const { signal } = new AbortController();
await withGateway(path, (_gateway, upkeep) =>
  upkeep.rebuildIndex({ vault: undefined }, { onProgress, signal }),
);
