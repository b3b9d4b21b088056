// Alerts by mail.

import { type AlertSettings, addressesOf } from "../alertSettings.ts";
import { type AlertMessage, subjectOf, textOf } from "./message.ts";
import { handOver } from "./smtp.ts";
import { fromUrl } from "./smtpUrl.ts";
import { notSent, type Way } from "./way.ts";

/** Undefined where the settings name nobody. */
export function mailWay(settings: AlertSettings): Way | undefined {
  const to = addressesOf(settings.alertMailTo);
  if (to.length === 0 || fromUrl(settings.alertSmtp) === undefined) return undefined;
  const send = async (message: AlertMessage, signal: AbortSignal): Promise<void> => {
    const messageId = `${message.id.replaceAll(":", ".")}@holdfast.${message.gateway.id}`;
    const mail = { to, subject: subjectOf(message), text: textOf(message), messageId };
    const { refused } = await handOver(settings, mail, signal);
    if (refused > 0) {
      throw notSent(
        `${refused} addresses were refused`,
        "Look at alert-mail-to; holdfast alert test tries it.",
      );
    }
  };
  return { name: "mail", send };
}
