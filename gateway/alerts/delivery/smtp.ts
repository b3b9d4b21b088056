// Hands one mail over to the mail server of the settings.
//
// Invariants: without TLS no password goes out; a server that offers no STARTTLS where it was asked for is an error. The password is in no log and no
// message. Names in subjects and texts are data: they make no headers.

import { PassThrough } from "node:stream";
import type { SendMailOptions } from "nodemailer";
import { isHoldfastError } from "../../../vault/errors.ts";
import type { AlertSettings } from "../alertSettings.ts";
import { fromUrl } from "./smtpUrl.ts";
import { notSent, readAuthorities, readSecret, sendMsMax } from "./way.ts";

export type OutgoingMail = {
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  /** Without brackets. */
  readonly messageId: string;
};

/**
 * Resolves when the server took it; `refused`: addresses that it did not take, where it took others.
 * @throws HoldfastError alert-not-sent, with `mayHaveArrived` in its detail where all of it went out and no answer came; the signal's reason
 */
export async function handOver(
  settings: AlertSettings,
  mail: OutgoingMail,
  signal: AbortSignal,
): Promise<{ readonly refused: number }> {
  const server = fromUrl(settings.alertSmtp);
  if (server === undefined) throw notSent("alert-smtp names no server", "Set alert-smtp in config.toml.");
  const { host, port, security, user } = server;
  const pass = user === undefined ? undefined : await readSecret(settings.alertSmtpPasswordFile);
  const authorities = await readAuthorities(settings.alertCaFile);
  // Loaded when there is something to send: few gateways' starts need it.
  const { createTransport } = await import("nodemailer");
  const transport = createTransport({
    ...{ host, port, secure: security === "tls", requireTLS: security === "starttls" },
    ignoreTLS: security === "none",
    ...(user !== undefined && pass !== undefined && { auth: { user, pass } }),
    tls: { minVersion: "TLSv1.2", ...authorities },
    ...{ connectionTimeout: sendMsMax / 3, greetingTimeout: sendMsMax / 3, socketTimeout: sendMsMax / 3 },
    // Addresses come from the settings; nothing is fetched from files or URLs.
    ...{ disableFileAccess: true, disableUrlAccess: true, logger: false },
  });
  let whole = false;
  transport.use("stream", ({ message }, done) => {
    const counted = new PassThrough().once("end", () => {
      whole = true;
    });
    message?.transform(() => counted);
    done();
  });
  const stop = (): void => transport.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const sent = await transport.sendMail(mailOf(mail, settings.alertMailFrom));
    return { refused: (sent.rejected ?? []).length };
  } catch (error) {
    const mayHaveArrived = whole && !hasAnswer(error);
    if (!mayHaveArrived) signal.throwIfAborted();
    const words = pass === undefined ? reasonOf(error) : reasonOf(error).replaceAll(pass, "...");
    const next = "Look at the alert-smtp settings; holdfast alert test tries them.";
    throw notSent(`${host}:${port}: ${words}`, next, { mayHaveArrived });
  } finally {
    signal.removeEventListener("abort", stop);
    transport.close();
  }
}

/** Whether a failure leaves open that the other side has it. */
export function mayHaveArrived(error: unknown): boolean {
  return isHoldfastError(error) && error.detail.mayHaveArrived === true;
}

function mailOf({ to, messageId, ...rest }: OutgoingMail, from: string): SendMailOptions {
  const headers = { "Auto-Submitted": "auto-generated" };
  return { ...rest, from, to: [...to], messageId: `<${messageId}>`, headers };
}

/** The server said no in words, so it did not take it. */
function hasAnswer(error: unknown): boolean {
  return (
    typeof error === "object" && error !== null && "responseCode" in error && Boolean(error.responseCode)
  );
}

/** The first line of what went wrong. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!.slice(0, 300);
}
