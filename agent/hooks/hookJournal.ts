// hooks.json in the state directory: what a run with hooks still has to undo (docs/hooks.md, "Nothing is left behind").
//
// Invariants
// - Replaced whole and durably, before the step that it tells of.
// - It is there only while something is left to do.
// - Used under the state's lock.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import {
  asArray,
  asHex,
  asInteger,
  asObject,
  asText,
  type JsonObject,
  parseJson,
} from "../../vault/jsonFields.ts";
import { readIfThere, replaceFile } from "../state/durableFile.ts";
import { type HookCommand, type SnapshotScripts, shippedSnapshots } from "./hooks.ts";
import { checkPrivate } from "./privateFile.ts";

/** A snapshot of a source, from before it is made until after it is removed. */
export type OpenSnapshot = {
  /** `holdfast-` and 16 hex digits. */
  readonly name: string;
  readonly source: string;
  readonly scripts: SnapshotScripts;
  readonly timeoutMs: number;
  /** What its create script printed. */
  readonly path: string | null;
};

/** A run that began and did not end. */
export type OpenRun = {
  /** 32 hex. */
  readonly id: string;
  readonly item: string;
  readonly afterSnapshot: HookCommand | null;
  readonly after: HookCommand | null;
  /** Mark of the command that runs. */
  readonly running: string | null;
};

export const openSnapshotsMax = 64;

export class HookJournal {
  readonly #path: string;
  #run: OpenRun | undefined;
  #snapshots: readonly OpenSnapshot[] = [];
  /** Whether what was there could not be read. */
  readonly wasDamaged: boolean = false;

  /** @throws HoldfastError io-error; forbidden where others than this user could have written it */
  constructor(state: string) {
    this.#path = join(state, "hooks.json");
    const text = readIfThere(this.#path);
    if (text === undefined) return;
    checkPrivate(this.#path);
    try {
      const json = asObject(parseJson(text, "hooks.json"), "hooks.json");
      const snapshots = asArray(json.snapshots, "snapshots", openSnapshotsMax).map(parseSnapshot);
      this.#run = json.run === null ? undefined : parseRun(json.run);
      this.#snapshots = snapshots;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.wasDamaged = true;
    }
  }

  get run(): OpenRun | undefined {
    return this.#run;
  }

  /** The oldest first. */
  get snapshots(): readonly OpenSnapshot[] {
    return this.#snapshots;
  }

  /** Begins a run, or says what is left of it; undefined: nothing. @throws HoldfastError disk-full, io-error */
  setRun(run: OpenRun | undefined): void {
    this.#run = run;
    this.#write();
  }

  /** Adds a snapshot, or says more of it. @throws HoldfastError disk-full, io-error */
  setSnapshot(snapshot: OpenSnapshot): void {
    this.#snapshots = [...this.#snapshots.filter(({ name }) => name !== snapshot.name), snapshot];
    this.#write();
  }

  /** @throws HoldfastError disk-full, io-error */
  removeSnapshot(gone: string): void {
    this.#snapshots = this.#snapshots.filter(({ name }) => name !== gone);
    this.#write();
  }

  /** Takes the file away where nothing is left to do. @throws HoldfastError disk-full, io-error */
  #write(): void {
    if (this.#run === undefined && this.#snapshots.length === 0) rmSync(this.#path, { force: true });
    else {
      const json = { run: this.#run ?? null, snapshots: this.#snapshots };
      replaceFile(this.#path, `${JSON.stringify(json, null, 1)}\n`);
    }
  }
}

function parseRun(value: unknown): OpenRun {
  const json = asObject(value, "run");
  return {
    id: asHex(json.id, "id", 16),
    item: asText(json.item, "item"),
    afterSnapshot: parseCommand(json.afterSnapshot),
    after: parseCommand(json.after),
    running: json.running === null ? null : asHex(json.running, "running", 16),
  };
}

function parseCommand(value: unknown): HookCommand | null {
  if (value === null) return null;
  const json = asObject(value, "command");
  return { text: asText(json.text, "text"), timeoutMs: asInteger(json.timeoutMs, "timeoutMs", 1) };
}

function parseSnapshot(value: unknown): OpenSnapshot {
  const json = asObject(value, "snapshot");
  const name = asText(json.name, "name");
  if (!/^holdfast-[0-9a-f]{16}$/.test(name))
    throw new HoldfastError(ErrorCode.corrupt, "a snapshot of another name than ours");
  return {
    name,
    source: asText(json.source, "source"),
    scripts: parseScripts(json.scripts),
    timeoutMs: asInteger(json.timeoutMs, "timeoutMs", 1),
    path: json.path === null ? null : asText(json.path, "path"),
  };
}

function parseScripts(value: JsonObject[string]): SnapshotScripts {
  if (typeof value === "object") {
    const json = asObject(value, "scripts");
    return { create: asText(json.create, "create"), remove: asText(json.remove, "remove") };
  }
  const shipped = shippedSnapshots.find((each) => each === value);
  if (shipped === undefined) throw new HoldfastError(ErrorCode.corrupt, "scripts of another kind");
  return shipped;
}
