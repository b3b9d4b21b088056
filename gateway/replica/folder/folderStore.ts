// A replica in a folder of a local or removable disk.
//
// Invariants
// - An object gets its name when all of its bytes are on disk (fsync) and were read back and hashed: by link(2), which takes no name
//   that is taken, also between processes. Where the file system has no hard links, by rename after a look: one writer then, and
//   `conditionalPuts` is false.
// - What was acknowledged has its name durably: the folder, and all above it, are synced.
// - The folder must be marked as a replica (marker.ts) before and after each write, so that nothing is acknowledged that went into the
//   mount point of a disk that is gone.
// - Files on their way are in `.holdfast-tmp` of the replica. What killed writers left there is removed by a later opening.
// "hashed" says: after fsync the file system gave back bytes of this SHA-256. They may come from the system's memory; that the disk
// itself still has them is what `replica verify` finds out later.

import { constants } from "node:fs";
import { type FileHandle, link, lstat, open, opendir, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { errnoOf, readFully, syncDirectory } from "../../store/files.ts";
import { checkKey } from "../keys.ts";
import type {
  Memory,
  ObjectSource,
  PutOptions,
  PutProof,
  ReplicaStore,
  StoredObject,
  StoreUsage,
} from "../replicaStore.ts";
import { DurableFolders } from "./durableFolders.ts";
import { folderError } from "./folderErrors.ts";
import { readMarker, seeMarker } from "./marker.ts";
import { withProvenFile } from "./provenFile.ts";
import { openTemporaryFolder } from "./temporaryFolder.ts";

type Usage = { requests: Record<string, number>; sentBytes: number; receivedBytes: number; retries: number };

export class FolderStore implements ReplicaStore {
  readonly kind = "folder";
  readonly url: string;
  readonly conditionalPuts: boolean;
  readonly #path: string;
  readonly #folders: DurableFolders;
  readonly #usage: Usage = { requests: {}, sentBytes: 0, receivedBytes: 0, retries: 0 };
  /** Renames that look first run one after the other. */
  #renames: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(path: string, url: string, conditionalPuts: boolean) {
    this.#path = path;
    this.url = url;
    this.conditionalPuts = conditionalPuts;
    this.#folders = new DurableFolders(path);
  }

  /** Opens a folder that `markFolder` made a replica. @throws HoldfastError replica-unreachable, replica-refused, unsupported */
  static async open(path: string, url: string, conditionalPuts: boolean): Promise<FolderStore> {
    await readMarker(path);
    await openTemporaryFolder(path);
    return new FolderStore(path, url, conditionalPuts);
  }

  async putIfAbsent(
    key: string,
    source: ObjectSource,
    options: PutOptions = {},
  ): Promise<{ readonly outcome: "created"; readonly proof: PutProof } | { readonly outcome: "exists" }> {
    this.#begin("put", options.signal);
    const file = this.#fileOf(key);
    if ((await this.#sizeOf(file)) !== undefined) {
      // Its writer may have been killed before it could sync.
      await this.#disk(key, () => this.#placed(key, async () => undefined));
      return { outcome: "exists" };
    }
    return this.#written(key, source, options, async (temporary) => {
      const taken = this.conditionalPuts
        ? await linked(temporary, file)
        : await this.#renamed(temporary, file);
      return taken ? { outcome: "exists" } : { outcome: "created", proof: "hashed" };
    });
  }

  async heal(key: string, source: ObjectSource, options: PutOptions = {}): Promise<PutProof> {
    this.#begin("heal", options.signal);
    const file = this.#fileOf(key);
    await this.#written(key, source, options, (temporary) => rename(temporary, file));
    return "hashed";
  }

  async getRange(
    key: string,
    offset: number,
    length: number,
    signal?: AbortSignal,
    memory?: Memory,
  ): Promise<Buffer> {
    this.#begin("get", signal);
    const file = this.#fileOf(key);
    let handle: FileHandle | undefined;
    try {
      handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
      const { size } = await handle.stat();
      if (offset + length > size) throw tooShort(key, size, offset + length);
      const bytes = memory?.(length) ?? Buffer.allocUnsafe(length);
      if ((await readFully(handle.fd, bytes, offset)) < length) throw tooShort(key, size, offset + length);
      this.#usage.receivedBytes += length;
      return bytes;
    } catch (error) {
      throw await this.#failure(error, key);
    } finally {
      await handle?.close();
    }
  }

  async head(key: string, signal?: AbortSignal): Promise<{ readonly bytes: number } | undefined> {
    this.#begin("head", signal);
    const bytes = await this.#sizeOf(this.#fileOf(key));
    if (bytes !== undefined) return { bytes };
    await seeMarker(this.#path);
    return undefined;
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject> {
    this.#begin("list", signal);
    if (prefix !== "") checkKey(prefix.endsWith("/") ? prefix.slice(0, -1) : "");
    await seeMarker(this.#path);
    yield* this.#below(prefix, signal);
  }

  async *#below(prefix: string, signal: AbortSignal | undefined): AsyncIterable<StoredObject> {
    const folder = join(this.#path, prefix);
    try {
      for await (const entry of await opendir(folder)) {
        this.#check(signal);
        const { name } = entry;
        if (entry.isDirectory() && !name.startsWith(".")) yield* this.#below(`${prefix}${name}/`, signal);
        if (!entry.isFile() || !isKey(`${prefix}${name}`)) continue;
        const bytes = await this.#sizeOf(join(folder, name));
        if (bytes !== undefined) yield { key: `${prefix}${name}`, bytes };
      }
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw folderError(error, folder);
    }
  }

  async delete(key: string): Promise<"deleted" | "absent" | "locked"> {
    this.#begin("delete");
    const file = this.#fileOf(key);
    try {
      await unlink(file);
      await syncDirectory(dirname(file));
      return "deleted";
    } catch (error) {
      // chattr +i, on the file or its folder.
      if (errnoOf(error) === "EPERM") return "locked";
      if (errnoOf(error) !== "ENOENT") throw folderError(error, file);
      await seeMarker(this.#path);
      return "absent";
    }
  }

  usage(): StoreUsage {
    return { ...this.#usage, requests: { ...this.#usage.requests } };
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #begin(request: string, signal?: AbortSignal): void {
    this.#check(signal);
    this.#usage.requests[request] = (this.#usage.requests[request] ?? 0) + 1;
  }

  #check(signal: AbortSignal | undefined): void {
    if (signal?.aborted || this.#closed) {
      throw new HoldfastError(ErrorCode.cancelled, "the request to the replica was stopped");
    }
  }

  #fileOf(key: string): string {
    if (!isKey(checkKey(key))) throw new HoldfastError(ErrorCode.usage, `${key} is no object's key`);
    return join(this.#path, key);
  }

  /** The size of a file, undefined where there is none. @throws HoldfastError replica-* */
  async #sizeOf(file: string): Promise<number | undefined> {
    try {
      return (await lstat(file)).size;
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
      throw folderError(error, file);
    }
  }

  /** Writes a source to a temporary file, proves it, and has `place` give it its name. */
  async #written<Answer>(
    key: string,
    source: ObjectSource,
    options: PutOptions,
    place: (temporary: string) => Promise<Answer>,
  ): Promise<Answer> {
    await seeMarker(this.#path);
    const writing = {
      replica: this.#path,
      key,
      throttle: options.throttle,
      check: () => this.#check(options.signal),
      sent: (bytes: number) => {
        this.#usage.sentBytes += bytes;
      },
    };
    return withProvenFile(source, writing, (temporary) =>
      this.#disk(key, () => this.#placed(key, () => place(temporary))),
    );
  }

  /** Gives a file its name, in a folder that is there, durably. */
  async #placed<Answer>(key: string, place: () => Promise<Answer>): Promise<Answer> {
    const folder = dirname(key);
    let answer: Answer;
    try {
      await this.#folders.make(folder);
      answer = await place();
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      await seeMarker(this.#path);
      this.#folders.forget();
      await this.#folders.make(folder);
      answer = await place();
    }
    await syncDirectory(join(this.#path, folder));
    await seeMarker(this.#path);
    return answer;
  }

  /** Renames unless the name is taken; whether it is. */
  #renamed(temporary: string, file: string): Promise<boolean> {
    const renaming = this.#renames.then(async () => {
      if ((await this.#sizeOf(file)) !== undefined) return true;
      await rename(temporary, file);
      return false;
    });
    this.#renames = renaming.catch(() => undefined);
    return renaming;
  }

  async #disk<Answer>(key: string, work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work();
    } catch (error) {
      throw folderError(error, join(this.#path, key));
    }
  }

  /** Why an object cannot be read: it is not there, it is damaged, or the whole folder is gone. */
  async #failure(error: unknown, key: string): Promise<HoldfastError> {
    const code = errnoOf(error);
    const file = join(this.#path, key);
    if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EIO" && code !== "ELOOP" && code !== "EISDIR") {
      return folderError(error, file);
    }
    await seeMarker(this.#path);
    const words = error instanceof Error ? error.message : String(error);
    return code === "ENOENT" || code === "ENOTDIR"
      ? new HoldfastError(ErrorCode.notFound, `the replica does not have ${key}`, { cause: error })
      : new HoldfastError(ErrorCode.replicaDamaged, `${key} of the replica cannot be read: ${words}`, {
          cause: error,
        });
  }
}

/** Names that are no objects: the marker, and what is hidden. */
function isKey(key: string): boolean {
  try {
    return checkKey(key) !== "holdfast-replica.json";
  } catch {
    return false;
  }
}

/** Gives a file its name unless that is taken; whether it is. */
async function linked(temporary: string, file: string): Promise<boolean> {
  try {
    await link(temporary, file);
    return false;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return true;
    throw error;
  }
}

function tooShort(key: string, bytes: number, needed: number): HoldfastError {
  return new HoldfastError(
    ErrorCode.replicaDamaged,
    `${key} of the replica has ${bytes} bytes, not ${needed}`,
    {
      detail: { key },
    },
  );
}
