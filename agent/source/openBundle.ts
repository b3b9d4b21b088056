// The bundle that is being put together: files join it in walk order until the planner, or the number of directories that
// their reading keeps open, ends it.

import { BundlePlanner } from "../../vault/chunk/bundle.ts";
import type { FileToRead } from "./fileIntake.ts";
import type { OpenDirectory } from "./openDirectory.ts";

/** Bounds the descriptors that one bundle holds. */
const bundleDirectoriesMax = 256;

export class OpenBundle<Member extends { readonly file: FileToRead }> {
  readonly #planner: BundlePlanner;
  readonly #read: (bundle: readonly Member[]) => void;
  readonly #directories = new Set<OpenDirectory>();
  #members: Member[] = [];

  /** @param read called with each bundle that is complete, inside `add` or `end` */
  constructor(splitTable: Uint32Array, read: (bundle: readonly Member[]) => void) {
    this.#planner = new BundlePlanner(splitTable);
    this.#read = read;
  }

  add(member: Member): void {
    const { file } = member;
    if (this.#planner.add(file) === "startNew" || this.#tooManyDirectories(file)) this.end();
    this.#members.push(member);
    this.#directories.add(file.directory);
    if (this.#planner.endsAfter()) this.end();
  }

  /** Ends the bundle although it is not full; nothing where it is empty. */
  end(): void {
    const bundle = this.#members;
    if (bundle.length === 0) return;
    this.#members = [];
    this.#directories.clear();
    this.#read(bundle);
  }

  #tooManyDirectories(file: FileToRead): boolean {
    return this.#directories.size >= bundleDirectoriesMax && !this.#directories.has(file.directory);
  }
}
