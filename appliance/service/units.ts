// The services and their units: appliance/systemd/ as it is in our packages, or changed for another program and another place.

import { readFileSync } from "node:fs";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export type ServiceName = "gateway" | "agent";

export type Service = {
  readonly name: ServiceName;
  readonly unit: string;
  /** The system user that it runs as, and that its directory belongs to. */
  readonly user: string;
  /** What its unit has, unless told otherwise. */
  readonly directory: string;
  /** The file in the directory without which there is nothing to run. */
  readonly begun: string;
  /** What makes that file. */
  readonly begin: string;
};

export const services: Readonly<Record<ServiceName, Service>> = {
  gateway: {
    name: "gateway",
    unit: "holdfast-gateway.service",
    user: "holdfast-gateway",
    directory: "/var/lib/holdfast/gateway",
    begun: "gateway.json",
    begin: "holdfast gateway init",
  },
  agent: {
    name: "agent",
    unit: "holdfast-agent.service",
    user: "holdfast-agent",
    directory: "/var/lib/holdfast/agent",
    begun: "agent.json",
    begin: "holdfast agent enroll URL --account NAME",
  },
};

/** Units of drives, by whose drive it is. */
export const driveUnits: Readonly<Record<ServiceName, string>> = {
  gateway: "holdfast-mount@.service",
  agent: "holdfast-agent-mount@.service",
};

/** First line of what `service install` wrote, so that `uninstall` takes nothing away that somebody else wrote. */
export const writtenBy =
  "# Written by `holdfast service install`; `holdfast service uninstall` removes it.\n";

export type UnitChanges = {
  /** Absolute path of the program. */
  readonly program: string;
  readonly service: Service;
  /** Absolute path of data or state. */
  readonly directory: string;
  /** Without a user of its own and without walls, for commands of items that need more. */
  readonly asRoot?: boolean;
};

/** A file of appliance/systemd/. */
export function unitTemplate(file: string): string {
  return readFileSync(new URL(`../systemd/${file}`, import.meta.url), "utf8");
}

/** A unit's text for another program or place. @throws HoldfastError usage for a path that units cannot hold */
export function unitText(file: string, { program, service, directory, asRoot }: UnitChanges): string {
  const text = unitTemplate(file)
    .replaceAll("/usr/bin/holdfast", () => unitWord(program))
    .replaceAll(service.directory, () => unitWord(directory));
  const isHidden = /^\/(?:home|root|run\/user)(?:\/|$)/;
  const open = isHidden.test(directory) || isHidden.test(program);
  const lines = text
    .split("\n")
    .map((line) => (open && line === "ProtectHome=yes" ? "ProtectHome=read-only" : line));
  return writtenBy + (asRoot === true ? lines.filter((line) => !isWall(line)) : lines).join("\n");
}

/** What keeps a service from what root may do. */
function isWall(line: string): boolean {
  const name = /^(\w+)=/.exec(line)?.[1] ?? "";
  return /^(User|Group|CapabilityBoundingSet|AmbientCapabilities|NoNewPrivileges|ReadWritePaths|RemoveIPC|LockPersonality|(Protect|Private|Restrict|SystemCall)\w*)$/.test(
    name,
  );
}

/** Spaces, quotes, percent signs and the like would mean something in a unit. */
function unitWord(path: string): string {
  if (/^\/[\w@+=:,./-]*$/.test(path)) return path;
  throw new HoldfastError(ErrorCode.usage, `a unit cannot hold the path ${path}`, {
    next: "Use one of letters, digits and ._-+=:,@ alone.",
  });
}
