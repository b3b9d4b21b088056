// The newest snapshot as a drive: find on a fresh mount; then, on another fresh mount, tar of everything twice, and find again.
// tar writes into a pipe to wc, because GNU tar does not read file contents when it sees that its output is /dev/null.

import type { Corpus } from "../corpus/corpus.ts";
import { BenchFailure } from "../failure.ts";
import { prepareCaches } from "../measure/caches.ts";
import { memoryOf, processTree } from "../measure/procfs.ts";
import { type Measurement, measure } from "../measure/programs.ts";
import type { Context } from "./context.ts";
import { type DriveCase, onFreshMount, type Services } from "./drive.ts";

const READER = "reader";

// -printf with a size makes find stat every entry, as ls -lR, du and file managers do.
const FIND = 'find "$1" -printf "%y %s %m\\n" | wc -l';
const TAR = 'tar -C "$1" -cf - . | wc -c';

/** The rows of one drive. Throws BenchFailure when it shows fewer entries or bytes than were backed up. */
export async function measureMount(context: Context, corpus: Corpus, drive: DriveCase): Promise<void> {
  const { samples } = context;
  const { prefix, column } = drive;
  await onFreshMount(context, drive, async ({ root }, services) => {
    samples.addStep(`${prefix}find`, column, await findAll(root, corpus, services));
  });
  await onFreshMount(context, drive, async ({ root, pid }, services) => {
    samples.addStep(`${prefix}tar-cold`, column, await tarAll(root, corpus, services));
    samples.addStep(`${prefix}tar-warm`, column, await tarAll(root, corpus, services));
    await findAll(root, corpus, services);
    samples.add(`${prefix}mount-memory`, column, memoryOf(processTree(pid)));
  });
}

/** The same reads on the source folder itself: what the file system and tar need without any mount. */
export async function measureSource(context: Context, corpus: Corpus): Promise<void> {
  prepareCaches("warm", [corpus.tree], context.dir);
  context.samples.addStep("find", "source", await findAll(corpus.tree, corpus, new Map()));
  context.samples.addStep("tar-warm", "source", await tarAll(corpus.tree, corpus, new Map()));
}

async function findAll(root: string, corpus: Corpus, services: Services): Promise<Measurement> {
  const step = await measure({ command: "sh", args: ["-c", FIND, "sh", root], role: READER }, services);
  const entries = Number(step.stdout);
  if (entries !== corpus.entries)
    throw new BenchFailure(`${root} shows ${entries} entries, not ${corpus.entries}`);
  return step;
}

async function tarAll(root: string, corpus: Corpus, services: Services): Promise<Measurement> {
  const step = await measure({ command: "sh", args: ["-c", TAR, "sh", root], role: READER }, services);
  const bytes = Number(step.stdout);
  if (step.stderr !== "") throw new BenchFailure(`tar of ${root}: ${step.stderr.trim().split("\n")[0]}`);
  if (bytes < corpus.contentBytes) {
    throw new BenchFailure(`tar of ${root} gave ${bytes} bytes for ${corpus.contentBytes} bytes of files`);
  }
  return step;
}
