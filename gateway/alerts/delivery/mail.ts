// Alerts by mail.
//
// Invariants: without TLS no password goes out; a server that offers no STARTTLS where it was asked for is an error. The password is in no log and no
// message. Names in subjects and texts are data: they make no headers.

import type { SendMailOptions } from "nodemailer";
import { type AlertSettings, addressesOf } from "../alertSettings.ts";
import { type AlertMessage, subjectOf, textOf } from "./message.ts";
import { fromUrl } from "./smtpUrl.ts";
import { notSent, readAuthorities, readSecret, sendMsMax, type Way } from "./way.ts";

/** Undefined where the settings name nobody. */
export function mailWay(settings: AlertSettings): Way | undefined {
  const to = addressesOf(settings.alertMailTo);
  const server = fromUrl(settings.alertSmtp);
  if (to.length === 0 || server === undefined) return undefined;
  const send = async (message: AlertMessage, signal: AbortSignal): Promise<void> => {
    const { host, port, security, user } = server;
    const pass = user === undefined ? undefined : await readSecret(settings.alertSmtpPasswordFile);
    const ca = await readAuthorities(settings.alertCaFile);
    // Loaded when there is something to send: few gateways' starts need it.
    const { createTransport } = await import("nodemailer");
    const transport = createTransport({
      ...{ host, port, secure: security === "tls", requireTLS: security === "starttls" },
      ignoreTLS: security === "none",
      ...(user !== undefined && pass !== undefined && { auth: { user, pass } }),
      tls: { minVersion: "TLSv1.2", ...(ca !== undefined && { ca }) },
      ...{ connectionTimeout: sendMsMax / 3, greetingTimeout: sendMsMax / 3, socketTimeout: sendMsMax / 3 },
      // Addresses come from the settings; nothing is fetched from files or URLs.
      ...{ disableFileAccess: true, disableUrlAccess: true, logger: false },
    });
    const stop = (): void => transport.close();
    signal.addEventListener("abort", stop, { once: true });
    try {
      const sent = await transport.sendMail(mailOf(message, settings.alertMailFrom, to));
      if (sent.rejected.length > 0) throw new Error(`${sent.rejected.length} addresses were refused`);
    } catch (error) {
      signal.throwIfAborted();
      const words = pass === undefined ? reasonOf(error) : reasonOf(error).replaceAll(pass, "...");
      throw notSent(
        `${host}:${port}: ${words}`,
        "Look at the alert-smtp settings; holdfast alert test tries them.",
      );
    } finally {
      signal.removeEventListener("abort", stop);
      transport.close();
    }
  };
  return { name: "mail", send };
}

function mailOf(message: AlertMessage, from: string, to: readonly string[]): SendMailOptions {
  return {
    ...{ from, to: [...to], subject: subjectOf(message), text: textOf(message) },
    messageId: `<${message.id.replaceAll(":", ".")}@holdfast.${message.gateway.id}>`,
    headers: { "Auto-Submitted": "auto-generated" },
  };
}

/** The first line of what went wrong. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!.slice(0, 300);
}
