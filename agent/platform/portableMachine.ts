// Facts about the machine without native code: statfs from node:fs, account names from `getent` or /etc.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { FileSystemTypes, isPseudoType } from "./fileSystems.ts";
import type { Platform } from "./port.ts";
import { StatTable } from "./statTable.ts";
import { asSystemError } from "./systemError.ts";

const GETENT_MS_MAX = 5_000;

type Database = "passwd" | "group";
type Machine = Pick<Platform, "fileSystem" | "userName" | "groupName" | "userId" | "groupId">;

export function portableMachine(): Machine {
  const types = new FileSystemTypes();
  const table = new StatTable(1);
  const users = new AccountFile("passwd");
  const groups = new AccountFile("group");
  return {
    fileSystem(handle) {
      return asSystemError(
        () => handle.path,
        () => {
          const path = fs.existsSync("/proc/self/fd") ? `/proc/self/fd/${handle.fd}` : handle.path;
          const facts = fs.statfsSync(path, { bigint: true });
          table.fill(0, fs.fstatSync(handle.fd, { bigint: true }));
          const device = table.device(0);
          const magic = Number(facts.type & 0xffff_ffffn);
          const type = types.typeOf(Math.floor(device / 2 ** 32), device % 2 ** 32, magic);
          return {
            type,
            pseudo: isPseudoType(type),
            totalBytes: Number(facts.blocks * facts.bsize),
            availableBytes: Number(facts.bavail * facts.bsize),
          };
        },
      );
    },
    userName: (uid) => users.name(uid),
    groupName: (gid) => groups.name(gid),
    userId: (name) => users.id(name),
    groupId: (name) => groups.id(name),
  };
}

/** One account database: the local file, read once, then `getent` (which knows directory services) for what is not in it. */
class AccountFile {
  readonly #database: Database;
  readonly #names = new Map<number, string | undefined>();
  readonly #ids = new Map<string, number | undefined>();
  #loaded = false;

  constructor(database: Database) {
    this.#database = database;
  }

  name(id: number): string | undefined {
    this.#load();
    if (!this.#names.has(id)) {
      this.#names.set(id, undefined);
      this.#learn(this.#getent(String(id)));
    }
    return this.#names.get(id);
  }

  id(name: string): number | undefined {
    this.#load();
    if (!this.#ids.has(name)) {
      this.#ids.set(name, undefined);
      // getent takes a number for an id and a dash for an option; neither is a name to ask for.
      if (!/^[-0-9]/.test(name) && !name.includes("\0")) this.#learn(this.#getent(name));
    }
    return this.#ids.get(name);
  }

  #load(): void {
    if (this.#loaded) return;
    this.#loaded = true;
    try {
      this.#learn(fs.readFileSync(`/etc/${this.#database}`, "utf8"));
    } catch {
      // No such file (another system): getent alone answers.
    }
  }

  #learn(text: string): void {
    for (const line of text.split("\n")) {
      const [name, , number] = line.split(":");
      const id = Number(number);
      if (name === undefined || name === "" || number === undefined || !Number.isSafeInteger(id)) continue;
      if (this.#names.get(id) === undefined) this.#names.set(id, name);
      if (this.#ids.get(name) === undefined) this.#ids.set(name, id);
    }
  }

  #getent(key: string): string {
    const result = spawnSync("getent", [this.#database, key], { encoding: "utf8", timeout: GETENT_MS_MAX });
    return result.status === 0 ? result.stdout : "";
  }
}
