// Facts about the machine on Linux: file systems and account names.

import { FileSystemTypes, isPseudoType } from "./fileSystems.ts";
import { allocateBlock, type Libc } from "./libc.ts";
import type { LinuxCalls } from "./linuxCalls.ts";
import type { Platform } from "./port.ts";
import { SELF } from "./port.ts";
import { StatTable } from "./statTable.ts";
import { Errno } from "./systemError.ts";

// struct statfs on 64-bit Linux: type, bsize, blocks, bfree, bavail, ... 8 bytes each; frsize is the tenth.
const STATFS_BLOCKS = 16;
const STATFS_AVAILABLE = 32;
const STATFS_FRAGMENT = 72;

// struct passwd { char *name; char *passwd; uid_t uid; gid_t gid; ... }, struct group { char *name; char *passwd; gid_t gid; ... }
const ID_OFFSET = 16;
const RECORD_BYTES = 128;
const RESULT_OFFSET = 120;
/** Groups with thousands of members need room; beyond this the name is taken as unknown. */
const TEXT_BYTES_MAX = 4 * 1024 * 1024;

type Machine = Pick<Platform, "fileSystem" | "userName" | "groupName" | "userId" | "groupId">;

export function linuxMachine(calls: LinuxCalls, stat: Platform["stat"]): Machine {
  const { libc, fields } = calls;
  const types = new FileSystemTypes();
  const table = new StatTable(1);
  const lookups = accountLookups(calls);

  return {
    fileSystem(handle) {
      calls.check(libc.fstatfs(handle.fd, fields.address), "fstatfs", handle, SELF);
      const { view } = fields;
      const magic = view.getUint32(0, true);
      const fragment = Number(view.getBigUint64(STATFS_FRAGMENT, true));
      const totalBytes = Number(view.getBigUint64(STATFS_BLOCKS, true)) * fragment;
      const availableBytes = Number(view.getBigUint64(STATFS_AVAILABLE, true)) * fragment;
      stat(handle, SELF, table, 0);
      const device = table.device(0);
      const type = types.typeOf(Math.floor(device / 2 ** 32), device % 2 ** 32, magic);
      return { type, pseudo: isPseudoType(type), totalBytes, availableBytes };
    },
    userName: remember((uid: number) => lookups.name(libc.getpwuid_r, uid)),
    groupName: remember((gid: number) => lookups.name(libc.getgrgid_r, gid)),
    userId: remember((name: string) => lookups.id(libc.getpwnam_r, name)),
    groupId: remember((name: string) => lookups.id(libc.getgrnam_r, name)),
  };
}

/** Keeps every answer, "there is none" too: an account is asked for by each of its files. */
function remember<Key, Value>(ask: (key: Key) => Value): (key: Key) => Value {
  const answers = new Map<Key, Value>();
  return (key) => {
    if (!answers.has(key)) answers.set(key, ask(key));
    return answers.get(key) as Value;
  };
}

type Call = Libc[keyof Libc];

function accountLookups(calls: LinuxCalls) {
  const record = allocateBlock(RECORD_BYTES);
  let text = allocateBlock(16 * 1024);

  /** Calls until the text buffer is large enough; true where there is such an account. */
  function find(call: Call, key: number): boolean {
    for (;;) {
      const errno = call(
        key,
        record.address,
        text.address,
        text.bytes.length,
        record.address + RESULT_OFFSET,
      );
      if (errno === Errno.ERANGE && text.bytes.length < TEXT_BYTES_MAX)
        text = allocateBlock(text.bytes.length * 4);
      // A directory service that is down answers with an error: the number is kept, the name is unknown.
      else return errno === 0 && record.view.getBigUint64(RESULT_OFFSET, true) !== 0n;
    }
  }

  return {
    name(call: Call, id: number): string | undefined {
      if (!find(call, id)) return undefined;
      const start = Number(record.view.getBigUint64(0, true)) - text.address;
      return text.bytes.toString("utf8", start, text.bytes.indexOf(0, start));
    },
    id(call: Call, name: string): number | undefined {
      const bytes = Buffer.from(name, "utf8");
      if (bytes.length === 0 || bytes.length > 255 || bytes.includes(0)) return undefined;
      return find(call, calls.text(bytes)) ? record.view.getUint32(ID_OFFSET, true) : undefined;
    },
  };
}
