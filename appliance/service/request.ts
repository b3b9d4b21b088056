// What `service install` and `service uninstall` were asked for.

import { existsSync } from "node:fs";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Arguments } from "../cli/arguments.ts";
import { mayActAsRoot, systemProgram } from "./systemctl.ts";
import { driveUnits, type ServiceName } from "./units.ts";

export type ServiceRequest =
  | { readonly what: ServiceName }
  | {
      readonly what: "mount";
      /** Whose drive. */
      readonly of: ServiceName;
      readonly mountpoint: string;
      /** The unit with the mount point in its name. */
      readonly instance: string;
    };

/** @throws HoldfastError usage; unsupported on a machine without systemd; forbidden for other users than root */
export async function serviceRequest(args: Arguments): Promise<ServiceRequest> {
  const what = args.operand(0);
  const mountpoint = args.operands[1];
  if (process.platform !== "linux" || !existsSync("/usr/bin/systemctl")) {
    throw new HoldfastError(ErrorCode.unsupported, "there is no systemd on this machine", {
      next: "Have what starts your services run `holdfast gateway run` or `holdfast agent run`.",
    });
  }
  if (!args.flag("dry-run") && !mayActAsRoot()) {
    throw new HoldfastError(ErrorCode.forbidden, "only root may install services", {
      next: "Run it with sudo.",
    });
  }
  if (what === "gateway" || what === "agent") {
    if (mountpoint !== undefined) throw wrong(`${what} takes no mount point`);
    if (args.text("of") !== undefined) throw wrong("--of is for mount");
    return { what };
  }
  if (what !== "mount") throw wrong(`there is no service ${what}`);
  if (mountpoint === undefined || !mountpoint.startsWith("/"))
    throw wrong("mount needs an absolute MOUNTPOINT");
  const of = args.text("of") === "gateway" ? "gateway" : "agent";
  const escaped = (await systemProgram("systemd-escape", "--path", "--", mountpoint)).trim();
  return { what, of, mountpoint, instance: driveUnits[of].replace("@.", `@${escaped}.`) };
}

function wrong(message: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, message, { next: "See: holdfast help service install" });
}
