// Going where this machine's backups belong: by what the directory says, and by what a gateway answers that is not their home.

import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import { probeFingerprint } from "../../ingest/client/pinnedAgent.ts";
import { pauseAfter } from "../../ingest/client/retry.ts";
import type { Line } from "../../ingest/line/line.ts";
import type { DirectoryAnswer } from "../../ingest/wire/messages.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { asObject } from "../../vault/jsonFields.ts";
import { type Home, homeOf } from "../../vault/seed/homeRecord.ts";
import { type Directory, type Enrollment, parseDirectory } from "../state/enrollment.ts";
import { checkedHome, homeOfNewcomers, seenRecord } from "./trustedHome.ts";

/** A directory that does not answer within this is passed over: the last known home counts. */
const askMs = 5000;
const probeMs = 5000;
/** Redirects that one run follows. Generations only grow, so there are no loops; this bounds a directory that moves all the time. */
export const redirectsMax = 5;

/**
 * What a gateway says its directory is; undefined from one that is older than directories. `at`: where it was reached, with which key.
 * @throws HoldfastError as requests do
 */
export async function learntDirectory(
  client: GatewayClient,
  at: Enrollment["gateway"],
): Promise<Directory | undefined> {
  let answer: DirectoryAnswer;
  try {
    answer = await client.directory();
  } catch (error) {
    if (isHoldfastError(error, ErrorCode.notFound)) return undefined;
    throw error;
  }
  const directory = parseDirectory(asObject(answer, "directory"));
  // A gateway that is its own directory may not know how others reach it; we just did. A box may not know where its directory is.
  const isItself = directory.fingerprint === at.fingerprint;
  return directory.urls.length > 0 || !isItself ? directory : { ...directory, urls: [at.url] };
}

/**
 * Asks the directory for the newest record where this machine's home is another gateway.
 * @returns the record's text; undefined where the home is the directory, which then answers for itself, or where it does not answer
 */
export async function askDirectory(
  enrollment: Enrollment,
  line: Line | undefined,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { directory, device, token } = enrollment;
  const record = seenRecord(enrollment);
  if (directory === undefined || record === undefined) return undefined;
  if (homeOf(record, device.id).gateway === directory.id) return undefined;
  const timeout = AbortSignal.timeout(askMs);
  for (const url of directory.urls) {
    const client = new GatewayClient({ url, fingerprint: directory.fingerprint, token, triesMax: 1, line });
    try {
      const answer = await client.home(signal === undefined ? timeout : AbortSignal.any([signal, timeout]));
      return answer.record ?? undefined;
    } catch (error) {
      if (signal?.aborted) throw error;
      // Away, or it does not know this device yet: the last known home counts.
    } finally {
      client.close();
    }
  }
  return undefined;
}

/** How the home is looked for: over which line, and how often while it does not answer. */
export type HomeWay = {
  readonly line: Line | undefined;
  readonly triesMax: number;
  readonly signal?: AbortSignal | undefined;
};

/**
 * The enrolment with a record that a gateway showed, and with the gateway that it names.
 * @throws HoldfastError home-forged, home-behind; protocol where the gateway that showed it is the one that it names;
 * gateway-unreachable where none of its addresses answers with its key; cancelled
 */
export async function movedTo(text: string, enrollment: Enrollment, way: HomeWay): Promise<Enrollment> {
  const { directory } = enrollment;
  if (directory === undefined) {
    throw new HoldfastError(
      ErrorCode.homeForged,
      "a gateway redirects this machine, which knows no directory of homes",
      {
        next: "Run `holdfast agent enroll --replace` once at the new gateway.",
      },
    );
  }
  const { home } = checkedHome(text, enrollment, directory);
  const { gateway } = enrollment;
  if (home.fingerprint === gateway.fingerprint) return { ...enrollment, homeRecord: text };
  const url = await answeringUrl(home, way);
  return { ...enrollment, homeRecord: text, gateway: { url, fingerprint: home.fingerprint } };
}

/** Where a device that is still to be enrolled belongs. @throws HoldfastError home-forged, gateway-unreachable */
export async function newcomersHome(
  text: string,
  directory: Directory,
  line: Line | undefined,
): Promise<{ readonly url: string; readonly fingerprint: string }> {
  const home = homeOfNewcomers(text, directory);
  return { url: await answeringUrl(home, { line, triesMax: 1 }), fingerprint: home.fingerprint };
}

/** The first address that answers with the home's key. Nothing is sent but the start of TLS. */
async function answeringUrl(home: Home, { line, triesMax, signal }: HomeWay): Promise<string> {
  for (let tries = 1; ; tries++) {
    const { url, tried, silent } = await tryUrls(home, line);
    if (url !== undefined) return url;
    if (silent === 0 || tries >= triesMax) {
      throw new HoldfastError(
        ErrorCode.gatewayUnreachable,
        `backups of this machine belong to ${home.name}, which does not answer${tried.length === 0 ? ": no address of it is known" : `: ${tried.join("; ")}`}`,
        { next: "Check the network; `holdfast home show` on the directory tells where homes are." },
      );
    }
    await pauseAfter(tries, signal);
  }
}

/** One look at each address: the one that answers, or what came of each, and how many did not answer at all. */
async function tryUrls(
  home: Home,
  line: Line | undefined,
): Promise<{ readonly url?: string; readonly tried: readonly string[]; readonly silent: number }> {
  const tried: string[] = [];
  let silent = 0;
  for (const url of home.urls) {
    try {
      const fingerprint = await probeFingerprint(url, { timeoutMs: probeMs, line });
      if (fingerprint === home.fingerprint) return { url, tried, silent };
      tried.push(`${url} is another gateway`);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      tried.push(error.message);
      silent++;
    }
  }
  return { tried, silent };
}
