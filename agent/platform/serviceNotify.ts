// Tells the service manager how a service fares: sd_notify(3), a datagram to the Unix socket that NOTIFY_SOCKET names. Node has no
// datagrams of Unix sockets; `systemd-notify` as a child would be a process each minute, and may be gone before systemd has looked
// whose child it was.
//
// A service that cannot tell anything works all the same: nothing here throws.

import { allocateBlock, bindProcess } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** struct sockaddr_un: the family, 16 bits, and then the path. */
const pathBytesMax = 107;

const functions = {
  socket: ["int", "int", "int", "int"],
  sendto: ["int64", "int", "uintptr_t", "uint64", "int", "uintptr_t", "uint"],
} as const;

/** Sends lines such as "READY=1"; says whether they went. */
export type ServiceNotifier = (...lines: readonly string[]) => boolean;

/**
 * The notifier for the socket `path` (an absolute path, or a name behind "@" that is in no file system); undefined where this machine
 * cannot call for it.
 */
export function serviceNotifier(path: string): ServiceNotifier | undefined {
  const name = Buffer.from(path);
  const isName = path.startsWith("@") || path.startsWith("/");
  if (!isName || name.length > pathBytesMax || process.platform !== "linux") return undefined;
  try {
    const { socket, sendto } = bindProcess(functions);
    const descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return undefined;
    const address = allocateBlock(2 + pathBytesMax + 1);
    address.view.setUint16(0, AF_UNIX, true);
    address.bytes.set(name, 2);
    if (path.startsWith("@")) address.bytes[2] = 0;
    // Names of no file system end where they end; paths with a zero.
    const addressBytes = 2 + name.length + (path.startsWith("@") ? 0 : 1);
    return (...lines) => {
      const text = Buffer.from(lines.join("\n"));
      const message = allocateBlock(text.length);
      message.bytes.set(text);
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      const sent = sendto(descriptor, message.address, text.length, flags, address.address, addressBytes);
      return sent === text.length;
    };
  } catch {
    return undefined;
  }
}
