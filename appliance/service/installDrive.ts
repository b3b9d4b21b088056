// `service install mount` and its undoing: a drive's unit, by its mount point.

import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { CommandContext } from "../cli/command.ts";
import { programPath } from "../programPath.ts";
import { directorySteps } from "./installService.ts";
import type { ServiceRequest } from "./request.ts";
import { fileStep, isPackaged, isWritten, ownUnitPath, type Step, systemctlStep } from "./steps.ts";
import { unitProperties } from "./systemctl.ts";
import { driveUnits, type ServiceName, services, unitTemplate, unitText, writtenBy } from "./units.ts";

type DriveRequest = Extract<ServiceRequest, { readonly what: "mount" }>;

const dropIn = ownUnitPath("holdfast-gateway.service.d/drives.conf");
const fuseSettings = "/etc/fuse.conf";
const wants = ownUnitPath("multi-user.target.wants");

/** The directory that the installed service works on. */
async function directoryOf(name: ServiceName): Promise<string> {
  const { unit, directory } = services[name];
  const found = await unitProperties(unit, "Environment");
  const [, named = directory] =
    /(?:^| )HOLDFAST_(?:DATA|STATE)=(\S+)/.exec(found.get("Environment") ?? "") ?? [];
  return named;
}

/** @throws HoldfastError usage, unsupported */
export async function driveSteps(
  { of, mountpoint, instance }: DriveRequest,
  { environment }: CommandContext,
): Promise<Step[]> {
  const service = services[of];
  const template = driveUnits[of];
  const directory = await directoryOf(of);
  const isUsual = isPackaged(template) && directory === service.directory;
  const changes = { program: programPath(environment), service, directory };
  return [
    ...(of === "gateway" ? gatewaySteps(mountpoint) : folderSteps(mountpoint)),
    ...(isUsual ? [] : fileStep(ownUnitPath(template), unitText(template, changes))),
    systemctlStep("daemon-reload"),
    ...(of === "gateway" ? [systemctlStep("try-restart", service.unit)] : []),
    systemctlStep("enable", "--now", instance),
  ];
}

function folderSteps(mountpoint: string): Step[] {
  if (existsSync(mountpoint)) return [];
  return [{ says: `make ${mountpoint}`, does: () => mkdirSync(mountpoint, { recursive: true }) }];
}

/** The walls come down, and its user may mount: fusermount3 wants the mount point to be that user's. */
function gatewaySteps(mountpoint: string): Step[] {
  const allowed =
    existsSync(fuseSettings) && /^\s*user_allow_other\b/m.test(readFileSync(fuseSettings, "utf8"));
  const allow: Step = {
    says: `allow users to share their drives: user_allow_other in ${fuseSettings}`,
    does: () => appendFileSync(fuseSettings, "\nuser_allow_other\n"),
  };
  return [
    ...fileStep(dropIn, writtenBy + unitTemplate("holdfast-gateway-drives.conf")),
    ...(allowed ? [] : [allow]),
    ...directorySteps(mountpoint, services.gateway.user),
  ];
}

/** What is the last drive's goes with it. */
export function driveRemoval({ of, instance }: DriveRequest): Step[] {
  const [prefix = ""] = driveUnits[of].split("@");
  const others = existsSync(wants)
    ? readdirSync(wants).filter((name) => name.startsWith(`${prefix}@`) && name !== instance)
    : [];
  const files = [ownUnitPath(driveUnits[of]), ...(of === "gateway" ? [dropIn] : [])];
  const gone = others.length > 0 ? [] : files.filter((path) => isWritten(path));
  return [
    systemctlStep("disable", "--now", instance),
    ...gone.map((path) => ({ says: `delete ${path}`, does: () => rmSync(path) })),
    systemctlStep("daemon-reload"),
    ...(gone.includes(dropIn) ? [systemctlStep("try-restart", services.gateway.unit)] : []),
  ];
}
