// The settings about alerts in config.toml: what they mean, what is right, and their text in the file.

import { fromUrl, isLoopback, type SmtpServer } from "./delivery/smtpUrl.ts";

export type AlertSettings = {
  /** Hours by which a replica of a vault may be behind; 0: never an alert. */
  readonly alertLagHours: number;
  /** Days until the disk is down to its reserve. */
  readonly alertDiskDays: number;
  /** Days until the TLS certificate ends. */
  readonly alertCertificateDays: number;
  /** Least severity that is sent. */
  readonly alertLeast: "info" | "warning" | "critical";
  /** Hours after which what is still open and nobody acknowledged is sent again; 0: never. */
  readonly alertRepeatHours: number;
  /** Addresses, with commas between them; empty: no mail. */
  readonly alertMailTo: string;
  readonly alertMailFrom: string;
  /** See fromUrl. */
  readonly alertSmtp: string;
  readonly alertSmtpPasswordFile: string;
  /** https://...; empty: none. */
  readonly alertWebhook: string;
  readonly alertWebhookSecretFile: string;
  /** Certificates in PEM that the mail server and the webhook may be vouched for by, besides the known ones. */
  readonly alertCaFile: string;
};

export const alertSettingsDefault: AlertSettings = {
  alertLagHours: 48,
  alertDiskDays: 7,
  alertCertificateDays: 14,
  alertLeast: "warning",
  alertRepeatHours: 24,
  alertMailTo: "",
  alertMailFrom: "",
  alertSmtp: "",
  alertSmtpPasswordFile: "",
  alertWebhook: "",
  alertWebhookSecretFile: "",
  alertCaFile: "",
};

export const alertKeys = {
  "alert-lag-hours": "alertLagHours",
  "alert-disk-days": "alertDiskDays",
  "alert-certificate-days": "alertCertificateDays",
  "alert-least": "alertLeast",
  "alert-repeat-hours": "alertRepeatHours",
  "alert-mail-to": "alertMailTo",
  "alert-mail-from": "alertMailFrom",
  "alert-smtp": "alertSmtp",
  "alert-smtp-password-file": "alertSmtpPasswordFile",
  "alert-webhook": "alertWebhook",
  "alert-webhook-secret-file": "alertWebhookSecretFile",
  "alert-ca-file": "alertCaFile",
} as const;

/** Their part of config.toml. */
export function formatAlertSettings(settings: AlertSettings): string {
  const text = (value: string): string => JSON.stringify(value);
  return `# Alerts (\`holdfast alert list\`): a replica that is so many hours behind, a disk that has only reserve-mib free in so many
# days at last week's rate, a certificate that ends in so many days. 0: none of that kind.
alert-lag-hours = ${settings.alertLagHours}
alert-disk-days = ${settings.alertDiskDays}
alert-certificate-days = ${settings.alertCertificateDays}

# The least severity that is sent: "info", "warning" or "critical". What is still open and not acknowledged is sent again after so many hours.
alert-least = ${text(settings.alertLeast)}
alert-repeat-hours = ${settings.alertRepeatHours}

# By mail: addresses with commas between them, and the server: smtps://USER@HOST (TLS), smtp://USER@HOST (STARTTLS, which it must
# have), smtp-plain://HOST (no TLS, no password). Its password is in a file that only the gateway's user may read.
alert-mail-to = ${text(settings.alertMailTo)}
alert-mail-from = ${text(settings.alertMailFrom)}
alert-smtp = ${text(settings.alertSmtp)}
alert-smtp-password-file = ${text(settings.alertSmtpPasswordFile)}

# By a POST of JSON, signed with the secret in a file (HMAC-SHA256, header holdfast-signature).
alert-webhook = ${text(settings.alertWebhook)}
alert-webhook-secret-file = ${text(settings.alertWebhookSecretFile)}

# Certificates in PEM by which those servers may be vouched for, besides the known ones.
alert-ca-file = ${text(settings.alertCaFile)}
`;
}

const address = /^[^\s@,<>"]+@[^\s@,<>"]+$/;
const addressesMax = 50;

export function isAddress(text: string): boolean {
  return address.test(text);
}

/** The addresses of a setting. */
export function addressesOf(text: string): string[] {
  return text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}

/** @throws what `wrong` makes of a key and the form it should have */
export function checkAlertSettings(
  settings: AlertSettings,
  wrong: (key: string, form: string) => Error,
): void {
  const { alertLagHours, alertDiskDays, alertCertificateDays, alertRepeatHours } = settings;
  for (const [key, value] of [
    ["alert-lag-hours", alertLagHours],
    ["alert-disk-days", alertDiskDays],
    ["alert-certificate-days", alertCertificateDays],
    ["alert-repeat-hours", alertRepeatHours],
  ] as const) {
    if (!(value >= 0 && value <= 100_000)) throw wrong(key, "a number, 0 or more");
  }
  if (!["info", "warning", "critical"].includes(settings.alertLeast)) {
    throw wrong("alert-least", '"info", "warning" or "critical"');
  }
  checkMail(settings, wrong);
  checkWebhook(settings, wrong);
}

function checkMail(settings: AlertSettings, wrong: (key: string, form: string) => Error): void {
  const { alertMailTo, alertMailFrom, alertSmtp, alertSmtpPasswordFile } = settings;
  const to = addressesOf(alertMailTo);
  if (to.length > addressesMax || !to.every(isAddress)) {
    throw wrong("alert-mail-to", `addresses with commas between them, ${addressesMax} at most`);
  }
  if (alertMailFrom !== "" && !isAddress(alertMailFrom)) throw wrong("alert-mail-from", "an address");
  let server: SmtpServer | undefined;
  if (alertSmtp !== "") {
    server = fromUrl(alertSmtp);
    if (server === undefined) {
      throw wrong(
        "alert-smtp",
        "smtps://[USER@]HOST[:PORT], smtp://[USER@]HOST[:PORT] or smtp-plain://HOST[:PORT]",
      );
    }
  }
  if (to.length > 0 && (server === undefined || alertMailFrom === "")) {
    throw wrong("alert-mail-to", "given together with alert-smtp and alert-mail-from");
  }
  if ((server?.user !== undefined) !== (alertSmtpPasswordFile !== "")) {
    throw wrong("alert-smtp-password-file", "given where alert-smtp names a user, and only there");
  }
}

function checkWebhook(
  { alertWebhook, alertWebhookSecretFile }: AlertSettings,
  wrong: (key: string, form: string) => Error,
): void {
  if (alertWebhook === "") return;
  const url = URL.canParse(alertWebhook) ? new URL(alertWebhook) : undefined;
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
  if (!isSafe || url?.username !== "" || url.password !== "") {
    throw wrong("alert-webhook", "https://..., or http://... on this machine, without a user");
  }
  if (alertWebhookSecretFile === "") {
    throw wrong("alert-webhook-secret-file", "given together with alert-webhook");
  }
}
