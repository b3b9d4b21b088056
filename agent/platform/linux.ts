// The Linux platform: everything through the C library, at full fidelity.

import { loadLibc } from "./libc.ts";
import { LinuxCalls } from "./linuxCalls.ts";
import { linuxHandles } from "./linuxHandles.ts";
import { linuxMachine } from "./linuxMachine.ts";
import { linuxReading } from "./linuxReading.ts";
import { linuxWriting } from "./linuxWriting.ts";
import { linuxXattrs } from "./linuxXattrs.ts";
import type { Platform } from "./port.ts";

/** Makes a platform with scratch memory of its own: one per thread. Throws where the C library cannot be bound. */
export function createLinuxPlatform(): Platform {
  const calls = new LinuxCalls(loadLibc());
  const reading = linuxReading(calls);
  return {
    capabilities: {
      name: "linux",
      xattrs: true,
      specialFiles: true,
      holes: true,
      nanosecondTimes: true,
      descriptorRelative: true,
      mountIds: true,
    },
    ...linuxHandles(calls),
    ...reading,
    ...linuxXattrs(calls),
    ...linuxWriting(calls),
    ...linuxMachine(calls, reading.stat),
  };
}
