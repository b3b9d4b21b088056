// INIT: what the kernel offers and what we take.

import { readFileSync } from "node:fs";
import { InitFlag, MAX_PAGES, MAX_WRITE_BYTES, PROTOCOL_MAJOR, PROTOCOL_MINOR } from "./abi.ts";

/** Waiting background requests (readahead): as many as reads run at once. */
const MAX_BACKGROUND = 64;
const INIT_OUT_BYTES = 64;

// Not wanted: SPLICE (Node cannot splice), READDIRPLUS_AUTO (it falls back to READDIR after the first
// page unless entries are looked up in between, so that `ls -l` of a large directory would stat every
// name by itself), EXPORT_SUPPORT (a view cannot name a node's parent).
const wanted =
  InitFlag.asyncRead |
  InitFlag.autoInvalData |
  InitFlag.doReaddirplus |
  InitFlag.parallelDirops |
  InitFlag.posixAcl |
  InitFlag.maxPages |
  InitFlag.cacheSymlinks;

export type Agreed = {
  readonly flags: number;
  /** The kernel asks for ACLs to decide who may do what. */
  readonly acls: boolean;
  readonly minor: number;
  /** ENOSYS to OPEN makes later opens of this mount cost no message, with the cache kept. */
  readonly zeroMessageOpen: boolean;
  /** The same for OPENDIR, with the rows cached. */
  readonly zeroMessageOpendir: boolean;
};

/** False where root alone is let in, who may do everything whatever ACLs say. The root of a user namespace may not. */
export function enforcesAcls(allowOther = false): boolean {
  if (allowOther || process.getuid?.() !== 0) return true;
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "latin1"));
  } catch {
    return true;
  }
}

/** What is used of the offered flags. Without `wantsAcls` ACLs are shown, and the kernel decides by modes alone. */
export function agree(offered: number, minor: number, wantsAcls: boolean): Agreed {
  const flags = offered & (wantsAcls ? wanted : wanted & ~InitFlag.posixAcl);
  return {
    flags,
    acls: (flags & InitFlag.posixAcl) !== 0,
    minor: Math.min(minor, PROTOCOL_MINOR),
    zeroMessageOpen: (offered & InitFlag.noOpenSupport) !== 0,
    zeroMessageOpendir: (offered & InitFlag.noOpendirSupport) !== 0,
  };
}

/** fuse_init_out. A kernel of a newer major gets ours and asks again. */
export function initReply(
  agreed: Agreed,
  asked: { readonly major: number; readonly maxReadahead: number },
  readAheadBytes = asked.maxReadahead,
): Buffer {
  const out = Buffer.alloc(INIT_OUT_BYTES);
  out.writeUInt32LE(PROTOCOL_MAJOR, 0);
  out.writeUInt32LE(agreed.minor, 4);
  out.writeUInt32LE(Math.min(asked.maxReadahead, readAheadBytes), 8);
  out.writeUInt32LE(agreed.flags >>> 0, 12);
  out.writeUInt16LE(MAX_BACKGROUND, 16);
  out.writeUInt16LE((MAX_BACKGROUND * 3) / 4, 18);
  out.writeUInt32LE(MAX_WRITE_BYTES, 20);
  out.writeUInt32LE(1, 24);
  out.writeUInt16LE(MAX_PAGES, 28);
  return out;
}
