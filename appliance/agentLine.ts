// The line of agent commands: what the command line says of it, else the top of the agent's config.toml, else the environment
// (docs/network.md).

import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { boundReceiveBuffer } from "../agent/platform/receiveBuffer.ts";
import type { Line } from "../ingest/line/line.ts";
import { HttpProxy, Proxies, type ProxySettings } from "../ingest/line/proxies.ts";
import { RateLimiter } from "../ingest/line/rateLimiter.ts";
import { RateTable } from "../ingest/line/rateTable.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import type { Arguments } from "./cli/arguments.ts";
import type { CommandContext } from "./cli/command.ts";

/** Keys above the tables of an agent's config.toml: they count for all its commands. */
export const lineKeys = ["proxy", "no-proxy", "limit-upload", "limit-download"] as const;
/** Those that stand nowhere else. */
export const proxyKeys = ["proxy", "no-proxy"] as const;

type LineSettings = { readonly [key in (typeof lineKeys)[number]]?: string };

/**
 * `args`: of a command that has the options of the line.
 * @throws HoldfastError usage
 */
export async function agentLine(
  state: string,
  environment: CommandContext["environment"],
  args?: Arguments,
): Promise<Line> {
  const file = join(state, "config.toml");
  const inFile = existsSync(file) ? await lineSettings(file) : {};
  const given = args === undefined ? {} : givenProxy(args);
  const has = (name: string): boolean => args?.command.options.some((each) => each.name === name) === true;
  const zone = has("time-zone") ? args?.text("time-zone") : undefined;
  const upload = has("limit-upload") ? args?.rates("limit-upload") : undefined;
  const download = has("limit-download") ? args?.rates("limit-download") : undefined;
  const settings = { proxy: given.proxy ?? inFile.proxy, noProxy: given.noProxy ?? inFile["no-proxy"] };
  return {
    proxies: new Proxies(settings, environment),
    uploads: limiter(upload ?? inFile["limit-upload"], zone),
    boundReceiveBuffer,
    downloads: limiter(download ?? inFile["limit-download"], zone),
  };
}

/** @throws HoldfastError usage */
function limiter(table: string | undefined, zone: string | undefined): RateLimiter | undefined {
  const parsed = RateTable.parse(table ?? "", zone);
  if (!Number.isFinite(parsed.lowest)) return undefined;
  return new RateLimiter(parsed, { wallMs: () => Date.now(), monotonicMs: () => performance.now() });
}

/** What a command line says of proxies. @throws HoldfastError usage */
export function givenProxy(args: Arguments): ProxySettings {
  const proxy = args.text("proxy");
  if (proxy !== undefined) refusePassword(proxy);
  return { proxy, noProxy: args.text("no-proxy") };
}

/** What the command line says of the line, as words for a child's. */
export function lineWords(args: Arguments): string[] {
  const own = lineKeys.filter((key) => args.command.options.some(({ name }) => name === key));
  return own.flatMap((key) => {
    const value = key === "proxy" || key === "no-proxy" ? args.text(key) : args.rates(key);
    return value === undefined ? [] : [`--${key}=${value}`];
  });
}

/** @throws HoldfastError usage that names file and key */
export async function lineSettings(file: string): Promise<LineSettings> {
  const { parse } = await import("smol-toml");
  let top: Record<string, unknown>;
  try {
    top = parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new HoldfastError(ErrorCode.usage, `${file}: ${(cause as Error).message.split("\n")[0]}`, {
      next: "Mend the file.",
      cause,
    });
  }
  for (const key of lineKeys) {
    if (top[key] === undefined || typeof top[key] === "string") continue;
    throw new HoldfastError(ErrorCode.usage, `${file}: ${key} is not a text`, {
      next: 'Write it between quotes: "...".',
    });
  }
  const settings = top as LineSettings;
  const { proxy } = settings;
  if (proxy !== undefined && proxy !== "none" && HttpProxy.parse(proxy, `${file}: proxy`).hasCredentials)
    refuseReaders(file);
  for (const key of ["limit-upload", "limit-download"] as const) RateTable.parse(settings[key] ?? "");
  return settings;
}

/** @throws HoldfastError usage */
function refusePassword(proxy: string): void {
  if (proxy === "none" || !HttpProxy.parse(proxy, "--proxy").hasCredentials) return;
  throw new HoldfastError(
    ErrorCode.usage,
    "--proxy has a password in it, which every user of this machine can see",
    {
      next: 'Write it into config.toml, proxy = "http://NAME:PASSWORD@HOST:PORT" (chmod 600), or into HTTPS_PROXY.',
    },
  );
}

/** @throws HoldfastError usage */
function refuseReaders(file: string): void {
  if ((statSync(file).mode & 0o077) === 0) return;
  throw new HoldfastError(ErrorCode.usage, `${file} has a proxy's password in it and can be read by others`, {
    next: `chmod 600 ${file}`,
  });
}
