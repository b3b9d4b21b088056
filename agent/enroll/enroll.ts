// Takes this machine in at a gateway: logs in with the account's password, wraps the vaults' keys for a new key pair, and
// keeps the token. The password and what is derived from it for wrapping never leave this process.

import { randomBytes } from "node:crypto";
import { deviceMeant } from "../../ingest/client/deviceMeant.ts";
import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import type { Line } from "../../ingest/line/line.ts";
import type { DeviceWrapRequest, EnrollAnswer, LoginAnswer, MeAnswer } from "../../ingest/wire/messages.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { asInteger, fromBase64 } from "../../vault/jsonFields.ts";
import { generateKeyPair } from "../../vault/keys/box.ts";
import { deriveLogin, type KdfParameters } from "../../vault/keys/kdf.ts";
import { openWithPassword, parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import { makeDeviceWrap } from "../../vault/keys/wraps.ts";
import { learntDirectory, newcomersHome } from "../home/followHome.ts";
import { type Directory, type Enrollment, findEnrollment, writeEnrollment } from "../state/enrollment.ts";
import { Seen } from "../state/seen.ts";
import { demandPrivate, lockState } from "../state/stateDirectory.ts";

export type EnrollOptions = {
  readonly url: string;
  /** The gateway's public key, already accepted. */
  readonly fingerprint: string;
  readonly account: string;
  readonly password: string;
  /** Of the account's authenticator, or a recovery code. */
  readonly code?: string | undefined;
  /** Asked where the account wants a code and none was given. */
  readonly askCode?: () => Promise<string>;
  readonly deviceName: string;
  readonly isolated: boolean;
  /** It is to add, and to read nothing. */
  readonly appendOnly: boolean;
  /** Name or id of a device whose history this machine goes on with; its name and rights stay, and what is said of them above counts for nothing. */
  readonly takeOver?: string | undefined;
  readonly state: string;
  /** Enroll anew where the state directory holds an enrolment. */
  readonly replace: boolean;
  readonly now: Date;
  readonly line?: Line | undefined;
};

const deviceIdBytes = 16;
/** Another change of the keys may come between reading and enrolling; more than once in a row is not chance. */
export const keysTriesMax = 4;

/**
 * Enrolls and writes the state directory.
 * @throws HoldfastError exists (device name, or the state directory is enrolled), auth-failed, code-required, kdf-weak, key-wrong,
 * fingerprint-mismatch, gateway-unreachable, busy, unsupported (a state directory that is open to others)
 */
export async function enroll(options: EnrollOptions): Promise<Enrollment> {
  const lock = lockState(options.state);
  try {
    demandPrivate(options.state);
    const former = findEnrollment(options.state);
    if (former !== undefined && !options.replace) throw alreadyEnrolled(former, options.state);
    return await enrollAtHome(options, former);
  } finally {
    lock.release();
  }
}

/** Enrols at the gateway of the address, or where its directory sends new devices of the account. */
async function enrollAtHome(options: EnrollOptions, former: Enrollment | undefined): Promise<Enrollment> {
  const { url, fingerprint, line } = options;
  const client = new GatewayClient({ url, fingerprint, line });
  try {
    const directory = await learntDirectory(client, { url, fingerprint });
    return await enrollWith(client, options, former, directory === undefined ? {} : { directory });
  } catch (error) {
    if (!isHoldfastError(error, ErrorCode.notHome)) throw error;
    return await enrollElsewhere(
      String(error.detail.record),
      await learntDirectory(client, { url, fingerprint }),
      options,
      former,
    );
  } finally {
    client.close();
  }
}

/** Follows one redirect: the record is the newest that the directory has. */
async function enrollElsewhere(
  homeRecord: string,
  directory: Directory | undefined,
  options: EnrollOptions,
  former: Enrollment | undefined,
): Promise<Enrollment> {
  if (directory === undefined)
    throw new HoldfastError(ErrorCode.protocol, "a gateway without a directory redirects this machine");
  const { line } = options;
  const { url, fingerprint } = await newcomersHome(homeRecord, directory, line);
  const client = new GatewayClient({ url, fingerprint, line });
  try {
    return await enrollWith(client, { ...options, url, fingerprint }, former, { directory, homeRecord });
  } finally {
    client.close();
  }
}

/** What is said of a state directory that is in use. */
export function alreadyEnrolled(former: Enrollment, state: string): HoldfastError {
  const { device, account, gateway } = former;
  return new HoldfastError(
    ErrorCode.exists,
    `${state} is enrolled already, as device ${device.name} of ${account.name} at ${gateway.url}`,
    { next: "Name another --state directory, or add --replace to enroll anew." },
  );
}

async function logIn(
  client: GatewayClient,
  { account, code, askCode }: EnrollOptions,
  l: Uint8Array,
): Promise<LoginAnswer> {
  try {
    return await client.login(account, l, code);
  } catch (error) {
    const mayAsk = code === undefined && askCode !== undefined;
    if (!mayAsk || !isHoldfastError(error, ErrorCode.codeRequired)) throw error;
    return await client.login(account, l, await askCode());
  }
}

async function enrollWith(
  client: GatewayClient,
  options: EnrollOptions,
  before: Enrollment | undefined,
  home: Pick<Enrollment, "directory" | "homeRecord">,
): Promise<Enrollment> {
  const kdf = await pinnedKdf(client, options, before);
  const { l, r } = kdf;
  const login = await logIn(client, options, l);
  const person = client.withToken(login.token);
  const me = await person.me();
  const former =
    options.takeOver === undefined ? undefined : deviceMeant(await person.devices(), options.takeOver);
  const device = {
    id: former?.id ?? toHex(randomBytes(deviceIdBytes)),
    name: former?.name ?? options.deviceName,
    appendOnly: former?.appendOnly ?? options.appendOnly,
    takesOver: former !== undefined,
    ...generateKeyPair(),
  };
  const answer = await enrollDevice(person, me, r, device, options);
  const enrollment: Enrollment = {
    format: "holdfast-agent",
    version: 1,
    gateway: { url: options.url, fingerprint: options.fingerprint },
    account: { id: me.accountId, name: me.account },
    device: { id: answer.answer.id, name: device.name, group: answer.answer.group },
    vault: answer.answer.vault,
    kdfIterations: kdf.iterations,
    privateKey: device.privateKey.toString("base64"),
    token: answer.answer.token,
    enrolled: options.now.toISOString(),
    ...(device.appendOnly && { appendOnly: true }),
    ...home,
  };
  writeEnrollment(options.state, enrollment);
  const seen = new Seen(options.state);
  for (const [vault, { generation }] of answer.wraps) seen.noteGeneration(vault, generation);
  return enrollment;
}

/** L and R by the gateway's parameters, which may not be weaker than the floor or than at an earlier enrolment. */
async function pinnedKdf(
  client: GatewayClient,
  options: EnrollOptions,
  former: Enrollment | undefined,
): Promise<{ l: Buffer; r: Buffer; iterations: number }> {
  const told = await client.kdf(options.account);
  const kdf: KdfParameters = {
    suite: told.suite as 1,
    iterations: asInteger(told.iterations, "KDF iterations", 1),
    salt: fromBase64(told.salt, "KDF salt"),
  };
  const same = former?.account.name === options.account && former.gateway.fingerprint === options.fingerprint;
  const derived = await deriveLogin(
    options.password,
    kdf,
    same && former !== undefined ? { iterationsMin: former.kdfIterations } : {},
  );
  return { ...derived, iterations: kdf.iterations };
}

type NewDevice = {
  readonly id: string;
  readonly name: string;
  readonly appendOnly: boolean;
  readonly takesOver: boolean;
  readonly publicKey: Buffer;
};
type Wraps = readonly (readonly [string, DeviceWrapRequest])[];

async function enrollDevice(
  client: GatewayClient,
  me: MeAnswer,
  r: Buffer,
  device: NewDevice,
  options: EnrollOptions,
): Promise<{ answer: EnrollAnswer; wraps: Wraps }> {
  for (let tries = 1; ; tries++) {
    const wraps = await Promise.all(me.vaults.map(({ id }) => wrapFor(client, me, id, r, device)));
    try {
      const answer = await client.enroll({
        id: device.id,
        name: device.name,
        publicKey: device.publicKey.toString("base64"),
        isolated: options.isolated,
        ...(device.appendOnly && { appendOnly: true }),
        ...(device.takesOver && { takeOver: true }),
        wraps: Object.fromEntries(wraps),
      });
      return { answer, wraps };
    } catch (error) {
      if (isHoldfastError(error, ErrorCode.sequenceConflict) && tries < keysTriesMax) continue;
      if (!isHoldfastError(error, ErrorCode.exists)) throw error;
      const { name } = device;
      throw new HoldfastError(ErrorCode.exists, `account ${me.account} has a device ${name} already`, {
        next: `Choose another name with --device; where this machine is to go on with that one's history, add --take-over ${name}; or end its access with \`holdfast device revoke ${me.account}/${name}\` on the gateway.`,
        cause: error,
      });
    }
  }
}

async function wrapFor(
  client: GatewayClient,
  me: MeAnswer,
  vault: string,
  r: Buffer,
  device: NewDevice,
): Promise<readonly [string, DeviceWrapRequest]> {
  const document = parseKeysDocument(await client.keysDocument(vault));
  if (document.vault !== vault || document.account !== me.accountId) {
    throw new HoldfastError(ErrorCode.protocol, "the gateway sent the keys document of another vault");
  }
  const { e } = openWithPassword(document, r);
  const { box, proof } = makeDeviceWrap(document, e, device.id, device.publicKey);
  e.fill(0);
  return [vault, { generation: document.generation, box, ...(proof !== undefined && { proof }) }];
}
