// The worker thread of a restore: opens records and writes files. It never returns to an event loop: it sleeps on a word of
// shared memory that the main thread bumps with every message, so that a message costs microseconds.

import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { giveBack } from "../../vault/bytes.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { selectEngines } from "../platform/engines.ts";
import { selectPlatform } from "../platform/select.ts";
import { processRights } from "./applyMetadata.ts";
import { FileHashes } from "./fileHashes.ts";
import { decodeJobs, type FileJob } from "./jobs.ts";
import { type LargeContext, LargeFile } from "./largeFile.ts";
import type { FromWorker, Stop, ToWorker, WorkerNote, WorkerSetup } from "./messages.ts";
import { withOpened } from "./openSent.ts";
import { lookAtRanges } from "./rightRanges.ts";
import { TargetDirectories } from "./targetDirectories.ts";
import { Turns } from "./turns.ts";
import { verifyFiles } from "./verifyFiles.ts";
import { failure, warning, writeSmallFiles } from "./writeSmall.ts";

const { setup, port } = workerData as { setup: WorkerSetup; port: MessagePort };
const signal = new Int32Array(setup.signal);
const keys = new VaultKeys(setup.secrets);
const platform = selectPlatform();
const target = { fd: setup.targetFd, path: Buffer.from(setup.targetPath) };
const engines = selectEngines();
const context: LargeContext = {
  platform,
  directories: new TargetDirectories(platform, target),
  rights: processRights(),
  fileHashKey: keys.fileHashKey,
  hmacs: engines.hmacs,
  engines,
  keys,
  group: setup.group,
  turns: new Turns(setup.turns),
};
const empty = Buffer.alloc(0);
const files = new Map<number, LargeFile>();

type Outcome = { readonly notes: readonly WorkerNote[]; readonly right?: Uint8Array };

function work(message: ToWorker): Outcome {
  switch (message.kind) {
    case "write":
      return write(message);
    case "verify":
      return verifyFiles(context, decodeJobs(message.jobs), message.look);
    case "look": {
      const job = decodeJobs(message.job)[0] as FileJob;
      return { notes: [], right: lookAtRanges(context, job, message.mode, message.extents) };
    }
    case "open": {
      const file = new LargeFile(context, decodeJobs(message.job)[0] as FileJob, message.mode);
      files.set(message.file, file);
      return { notes: [], right: Uint8Array.of(file.hasBase ? 1 : 0) };
    }
    case "compare":
      return { notes: [], right: fileOf(message.file).compare(message.extents) };
    case "part":
      fileOf(message.file).write(message.extents, message.records);
      return { notes: [] };
    case "finish": {
      const problems = fileOf(message.file).finish();
      files.delete(message.file);
      return { notes: problems.map((problem) => warning(0, problem)) };
    }
    case "abandon":
      files.get(message.file)?.abandon(message.keep);
      files.delete(message.file);
      return { notes: [] };
  }
}

function write({ jobs: encoded, record: sent }: Extract<ToWorker, { kind: "write" }>): Outcome {
  const jobs = decodeJobs(encoded);
  if (sent === undefined) return { notes: writeSmallFiles(context, jobs, empty) };
  const hashed = new FileHashes(context.hmacs, context.fileHashKey, jobs);
  try {
    return {
      notes: withOpened(context, sent, hashed, (chunk) =>
        writeSmallFiles(context, jobs, chunk, hashed.hashes),
      ),
    };
  } catch (error) {
    return { notes: jobs.map((_, index) => failure(index, error)) };
  } finally {
    giveBack(sent.record);
  }
}

/** The file of a message; one whose opening failed has none, and says so for every later message. */
function fileOf(number: number): LargeFile {
  const file = files.get(number);
  if (file === undefined) throw new Error(`large file ${number} is not open`);
  return file;
}

function answer(message: ToWorker): void {
  let outcome: Outcome;
  try {
    outcome = work(message);
  } catch (error) {
    outcome = { notes: [failure(0, error)] };
  }
  const done: FromWorker = {
    kind: "done",
    ticket: message.ticket,
    notes: outcome.notes,
    right: outcome.right,
  };
  port.postMessage(done);
}

try {
  for (let stopped = false; !stopped; ) {
    const seen = Atomics.load(signal, 0);
    for (
      let received = receiveMessageOnPort(port);
      received !== undefined;
      received = receiveMessageOnPort(port)
    ) {
      const message = received.message as ToWorker | Stop;
      if ("stop" in message) stopped = true;
      else answer(message);
    }
    if (!stopped && Atomics.load(signal, 0) === seen) Atomics.wait(signal, 0, seen);
  }
} catch (error) {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  port.postMessage({ kind: "crashed", message } satisfies FromWorker);
}
// Descriptors belong to the process, so nothing but this closes them.
for (const file of files.values()) file.abandon(true);
context.directories.close();
engines.close();
port.close();
