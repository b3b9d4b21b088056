// `service install gateway|agent`: user, directory, unit, in this order, so that a unit is never there without what it names.

import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { programPath } from "../programPath.ts";
import { fileStep, isPackaged, ownUnitPath, type Step, systemctlStep } from "./steps.ts";
import { systemProgram } from "./systemctl.ts";
import { type Service, type ServiceName, services, unitText } from "./units.ts";

/** Number of a user of /etc/passwd. */
function uidOf(name: string): number | undefined {
  const row = readFileSync("/etc/passwd", "latin1")
    .split("\n")
    .find((each) => each.startsWith(`${name}:`));
  return row === undefined ? undefined : Number(row.split(":")[2]);
}

/** A system user without a password, a shell and a home of its own. */
export function userSteps({ user, directory }: Service): Step[] {
  if (uidOf(user) !== undefined) return [];
  const words = ["--system", "--user-group", "--no-create-home", "--home-dir", directory];
  const does = (): Promise<string> =>
    systemProgram("useradd", ...words, "--shell", "/usr/sbin/nologin", user);
  return [{ says: `add the system user ${user}`, does }];
}

/** The directory, with all that is in it, belongs to the user, who can reach it. @throws HoldfastError usage where somebody's folder keeps him out */
export function directorySteps(directory: string, user: string): Step[] {
  return [...(user === "root" ? [] : waySteps(directory, user)), ...ownerSteps(directory, user)];
}

/** The folders above, the nearest first. */
function above(directory: string): string[] {
  const parent = dirname(directory);
  return parent === directory ? [] : [parent, ...above(parent)];
}

/** Of the folders above that only root passes, ours is opened, and others are not. */
function waySteps(path: string, user: string): Step[] {
  const closed = above(path).filter((folder) => existsSync(folder) && (statSync(folder).mode & 0o001) === 0);
  return closed.reverse().map((folder) => {
    if (folder === usualParent)
      return { says: `let others pass ${folder}`, does: () => chmodSync(folder, 0o755) };
    throw new HoldfastError(
      ErrorCode.usage,
      `the service's user ${user} cannot reach ${path}: ${folder} does not let others pass`,
      { next: "Use another place, open that folder (chmod o+x), or let the agent run as root (--as-root)." },
    );
  });
}

const usualParent = dirname(services.gateway.directory);

function ownerSteps(directory: string, user: string): Step[] {
  const give = (): Promise<string> =>
    systemProgram("chown", "--recursive", "--no-dereference", `${user}:`, directory);
  if (!existsSync(directory)) {
    const make = (): Promise<string> => {
      const missing = above(directory).filter((folder) => !existsSync(folder));
      mkdirSync(dirname(directory), { recursive: true });
      // Whatever root's umask is: others pass the folders above.
      for (const folder of missing) chmodSync(folder, 0o755);
      mkdirSync(directory, { mode: 0o700 });
      return give();
    };
    return [{ says: `make ${directory}, for ${user}`, does: make }];
  }
  if (statSync(directory).uid === uidOf(user)) return [];
  return [{ says: `give ${directory}, and everything in it, to ${user}`, does: give }];
}

/** The steps, and how they end. */
export function installSteps(name: ServiceName, { args, environment }: CommandContext): Step[] {
  const service = services[name];
  const { unit } = service;
  const asRoot = args.flag("as-root");
  const given = args.text(name === "gateway" ? "data" : "state");
  const directory = given === undefined ? service.directory : resolve(given);
  const user = asRoot ? "root" : service.user;
  const isUsual = directory === service.directory && !asRoot;
  const path = ownUnitPath(unit);
  const text = (): string =>
    unitText(unit, { program: programPath(environment), service, directory, asRoot });
  // One of the machine's own hides that of the package.
  const unitSteps = isUsual && isPackaged(unit) && !existsSync(path) ? [] : fileStep(path, text());
  const hasBegun = existsSync(join(directory, service.begun));
  return [
    ...(asRoot ? [] : [...waySteps(programPath(environment), user), ...userSteps(service)]),
    ...directorySteps(directory, user),
    ...unitSteps,
    systemctlStep("daemon-reload"),
    systemctlStep("enable", unit),
    // A unit that runs is to be the new one.
    ...(hasBegun ? [systemctlStep(unitSteps.length > 0 ? "restart" : "start", unit)] : []),
  ];
}

/** What is left to do, once it is installed. */
export function nextStep(name: ServiceName, context: CommandContext): string {
  const { begun, begin, directory, unit } = services[name];
  const option = name === "gateway" ? "data" : "state";
  const given = context.args.text(option);
  if (existsSync(join(given === undefined ? directory : resolve(given), begun)))
    return `It runs. Its log: journalctl -u ${unit}`;
  const place = given === undefined ? "" : ` --${option} ${resolve(given)}`;
  return `There is nothing to run yet. Next, and ${unit} starts by itself: ${begin}${place}`;
}
