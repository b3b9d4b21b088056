// Passwords and other secrets that a person has: from a file, the environment, or the terminal without echo. Never from an
// argument, which other users of the machine could read.

import { closeSync, openSync, readFileSync } from "node:fs";
import { ReadStream } from "node:tty";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "./command.ts";
import { TypedLine } from "./typedLine.ts";

const secretCharsMax = 1024;

/** The first line of a secret's file, without its end. @throws HoldfastError usage when it is empty or absurdly long */
export function readSecretFile(path: string, what: string): string {
  const line = (readFileSync(path, "utf8").split("\n")[0] ?? "").replace(/\r$/, "");
  return checked(line, `${what} in ${path}`);
}

function checked(secret: string, what: string): string {
  if (secret === "") throw new HoldfastError(ErrorCode.usage, `the ${what} is empty`, { next: "Give one." });
  if (secret.length > secretCharsMax) {
    throw new HoldfastError(ErrorCode.usage, `the ${what} is too long`, {
      next: `It may have ${secretCharsMax} characters; only the first line of a file counts.`,
    });
  }
  return secret;
}

/**
 * The account's password: --password-file, HOLDFAST_PASSWORD, or asked on the terminal (twice when it is new).
 * @throws HoldfastError usage where there is none of them
 */
export async function readPassword(
  context: CommandContext,
  options: { readonly isNew?: boolean } = {},
): Promise<string> {
  const { args, environment } = context;
  const file = args.text("password-file");
  if (file !== undefined) return readSecretFile(file, "password");
  const fromEnvironment = environment.HOLDFAST_PASSWORD;
  if (fromEnvironment !== undefined) return checked(fromEnvironment, "password in HOLDFAST_PASSWORD");
  return askPassword(context, "Password: ", options.isNew === true);
}

/** Another password that has a file option of its own: the new one of `account password`. */
export async function readNewPassword(context: CommandContext, option: string): Promise<string> {
  const file = context.args.text(option);
  if (file !== undefined) return readSecretFile(file, "new password");
  return askPassword(context, "New password: ", true, `--${option} FILE`);
}

/**
 * A box's passphrase: --passphrase-file, where the command has it, HOLDFAST_PASSPHRASE, or asked on the terminal (twice when it is new).
 * @throws HoldfastError usage where there is none of them
 */
export async function readPassphrase(
  context: CommandContext,
  options: { readonly isNew?: boolean } = {},
): Promise<string> {
  const { args, environment, signal } = context;
  const takesFile = args.command.options.some(({ name }) => name === "passphrase-file");
  const file = takesFile ? args.text("passphrase-file") : undefined;
  if (file !== undefined) return readSecretFile(file, "passphrase");
  const fromEnvironment = environment.HOLDFAST_PASSPHRASE;
  if (fromEnvironment !== undefined) return checked(fromEnvironment, "passphrase in HOLDFAST_PASSPHRASE");
  const instead = `${takesFile ? "Use --passphrase-file FILE, or set" : "Set"} HOLDFAST_PASSPHRASE.`;
  const ask = async (question: string): Promise<string> =>
    onTerminal(question, true, signal, "a passphrase is needed and there is no terminal to ask on", instead);
  const passphrase = checked(await ask("Passphrase of the box: "), "passphrase");
  if (options.isNew === true && (await ask("Again: ")) !== passphrase) {
    throw new HoldfastError(ErrorCode.usage, "the two passphrases differ", { next: "Run again." });
  }
  return passphrase;
}

/** An account's recovery key: from --recovery-key-file, or asked on the terminal. */
export async function readRecoveryKey({ args, signal }: CommandContext): Promise<string> {
  const file = args.text("recovery-key-file");
  if (file !== undefined) return readSecretFile(file, "recovery key");
  const missing = "a recovery key is needed and there is no terminal to ask on";
  return checked(
    await onTerminal("Recovery key: ", false, signal, missing, "Use --recovery-key-file FILE."),
    "recovery key",
  );
}

/** The code that an account's authenticator shows now. @throws HoldfastError usage without a terminal; cancelled */
export async function askCode({ signal }: CommandContext): Promise<string> {
  const missing = "a code is needed and there is no terminal to ask on";
  return checked(
    await onTerminal("Code of the authenticator: ", false, signal, missing, "Use --totp CODE."),
    "code",
  );
}

/** Does what may need a code: that of --totp, or one that is asked for where it turns out that it does. */
export async function withCode<Result>(
  context: CommandContext,
  work: (code: string | undefined) => Promise<Result>,
): Promise<Result> {
  const given = context.args.text("totp");
  try {
    return await work(given);
  } catch (error) {
    const mayAsk = given === undefined && context.output.interactive;
    if (!mayAsk || !isHoldfastError(error, ErrorCode.codeRequired)) throw error;
    return await work(await askCode(context));
  }
}

async function askPassword(
  context: CommandContext,
  question: string,
  twice: boolean,
  instead = "--password-file FILE, or set HOLDFAST_PASSWORD",
): Promise<string> {
  const secret = checked(await askHidden(question, context.signal, instead), "password");
  if (twice && (await askHidden("Again: ", context.signal, instead)) !== secret) {
    throw new HoldfastError(ErrorCode.usage, "the two passwords differ", { next: "Run again." });
  }
  return secret;
}

/** Asks on the controlling terminal without echo. @throws HoldfastError usage without a terminal; cancelled */
async function askHidden(question: string, signal: AbortSignal, instead: string): Promise<string> {
  return onTerminal(
    question,
    true,
    signal,
    `a password is needed and there is no terminal to ask on`,
    `Use ${instead}.`,
  );
}

/** Asks a yes-or-no question. @throws HoldfastError usage without a terminal; cancelled */
export async function askYes(question: string, signal: AbortSignal, next: string): Promise<boolean> {
  const answer = await onTerminal(
    `${question} [y/N] `,
    false,
    signal,
    "there is no terminal to ask on",
    next,
  );
  return /^y(es)?$/i.test(answer.trim());
}

async function onTerminal(
  question: string,
  hidden: boolean,
  signal: AbortSignal,
  missing: string,
  next: string,
): Promise<string> {
  let fd: number;
  try {
    fd = openSync("/dev/tty", "r+");
  } catch (cause) {
    throw new HoldfastError(ErrorCode.usage, missing, { next, cause });
  }
  let terminal: ReadStream;
  try {
    terminal = new ReadStream(fd);
  } catch (cause) {
    closeSync(fd);
    throw new HoldfastError(ErrorCode.usage, missing, { next, cause });
  }
  let answered = false;
  try {
    // Before the question is seen: whoever types at once must not be echoed.
    terminal.setRawMode(hidden);
    process.stderr.write(question);
    const line = await readLine(terminal, signal);
    answered = true;
    return line;
  } finally {
    terminal.setRawMode(false);
    terminal.destroy();
    // The terminal itself ends the line of an answer that it echoes.
    if (hidden || !answered) process.stderr.write("\n");
  }
}

function stopped(): HoldfastError {
  return new HoldfastError(ErrorCode.cancelled, "stopped at the question", { next: "Run again." });
}

function readLine(terminal: ReadStream, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const typed = new TypedLine();
  terminal.setEncoding("utf8");
  terminal.on("data", (text: string) => {
    const end = typed.type(text);
    if (end === "entered") resolve(typed.text);
    else if (end === "stopped") reject(stopped());
  });
  terminal.on("error", reject);
  terminal.on("end", () => reject(stopped()));
  if (signal.aborted) reject(stopped());
  signal.addEventListener("abort", () => reject(stopped()), { once: true });
  return promise;
}
