// The worker thread of a backup: reads, cuts and hashes. It never returns to an event loop: it sleeps on a word of
// shared memory that the main thread bumps with every message, so that a message costs microseconds.

import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { selectEngines } from "../platform/engines.ts";
import { selectPlatform } from "../platform/select.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./messages.ts";
import { readLargeFile } from "./readLarge.ts";
import { type ReadContext, readBundle } from "./readSmall.ts";
import { readStream } from "./readStream.ts";
import { Windows } from "./windows.ts";

type Read = Extract<ToWorker, { kind: "readBundle" | "readFile" | "readStream" }>;

const { setup, port } = workerData as { setup: WorkerSetup; port: MessagePort };
const signal = new Int32Array(setup.signal);
const keys = new VaultKeys(setup.secrets);
const windows = new Windows(setup.worker, setup.windows);
const engines = selectEngines();

const context: ReadContext = {
  platform: selectPlatform(),
  hmacs: engines.hmacs,
  windows,
  idKey: keys.idKey(setup.group),
  fileHashKey: keys.fileHashKey,
  gear: keys.gearTable(setup.group),
  chunker: setup.chunker,
  post: (message: FromWorker) => port.postMessage(message),
};

const reads: Read[] = [];
let active: Generator<void> | undefined;
let seen = 0;
let stopped = false;

/** Takes in every message that is waiting. */
function drain(): void {
  for (;;) {
    const received = receiveMessageOnPort(port) as { message: ToWorker } | undefined;
    if (received === undefined) return;
    const message = received.message;
    if (message.kind === "release") windows.release(message.window);
    else if (message.kind === "stop") stopped = true;
    else reads.push(message);
  }
}

function start(read: Read): Generator<void> {
  switch (read.kind) {
    case "readBundle":
      return readBundle(context, read.task, read.files);
    case "readFile":
      return readLargeFile(context, read.task, read.file);
    case "readStream":
      return readStream(context, read.task, read.stream);
  }
}

/** One unit of work; false when there is nothing to do, or nothing that can be done before a message comes. */
function work(): boolean {
  if (active === undefined) {
    const read = reads.shift();
    if (read === undefined) return false;
    active = start(read);
  }
  if (active.next().done === true) {
    active = undefined;
    return true;
  }
  // Blocked for a window or just between two: a full round without a message means blocked.
  return windows.reserve(1);
}

try {
  for (;;) {
    seen = Atomics.load(signal, 0);
    drain();
    if (stopped) break;
    if (!work() && Atomics.load(signal, 0) === seen) Atomics.wait(signal, 0, seen);
  }
} catch (error) {
  port.postMessage({
    kind: "crashed",
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
}
active?.return(undefined); // closes the file it reads
engines.close();
port.close();
