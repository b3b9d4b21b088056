// Settings about alerts: what config.toml refuses, and that what it writes reads back the same.

import { expect, test } from "vitest";
import { parseSettings, settingsDefault } from "../../../gateway/settings.ts";
import { formatSettings } from "../../../gateway/settingsText.ts";
import { ErrorCode } from "../../../vault/errors.ts";

const mail = { "alert-mail-to": "a@b.c", "alert-mail-from": "h@b.c", "alert-smtp": "smtp://relay.example" };
const hook = { "alert-webhook": "https://h.example/x", "alert-webhook-secret-file": "/s" };
const toml = (settings: Record<string, string | number>): string =>
  Object.entries(settings)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
    .join("");

test("what is written reads back the same", () => {
  expect(parseSettings(formatSettings(settingsDefault))).toEqual(settingsDefault);
  const own = parseSettings(
    toml({
      ...{ ...mail, ...hook, "alert-smtp": "smtps://us%40er@[::1]:2465", "alert-smtp-password-file": "/p" },
      ...{ "alert-lag-hours": 1.5, "alert-least": "info", "alert-ca-file": '/ca "x"' },
    }),
  );
  expect(own).toMatchObject({ alertLagHours: 1.5, alertSmtp: "smtps://us%40er@[::1]:2465" });
  expect(parseSettings(formatSettings(own))).toEqual(own);
});

test.each<[string, Record<string, string | number>]>([
  ["alert-mail-to", { ...mail, "alert-mail-to": "a@b.c, nobody" }],
  ["alert-mail-to", { ...mail, "alert-mail-to": "a@b.c\\r\\nBcc: x@y.z" }],
  ["alert-mail-to", { "alert-mail-to": "a@b.c" }],
  ["alert-mail-to", { ...mail, "alert-mail-from": "" }],
  ["alert-mail-from", { ...mail, "alert-mail-from": "Holdfast <h@b.c>" }],
  ["alert-smtp", { ...mail, "alert-smtp": "relay.example" }],
  ["alert-smtp", { ...mail, "alert-smtp": "http://relay.example" }],
  ["alert-smtp", { ...mail, "alert-smtp": "smtps://user:password@relay.example" }],
  ["alert-smtp", { ...mail, "alert-smtp": "smtp-plain://user@relay.example" }],
  ["alert-smtp-password-file", { ...mail, "alert-smtp": "smtp://user@relay.example" }],
  ["alert-smtp-password-file", { ...mail, "alert-smtp-password-file": "/p" }],
  ["alert-webhook", { ...hook, "alert-webhook": "http://h.example/x" }],
  ["alert-webhook", { ...hook, "alert-webhook": "https://user:secret@h.example/x" }],
  ["alert-webhook", { ...hook, "alert-webhook": "file:///etc/passwd" }],
  ["alert-webhook-secret-file", { "alert-webhook": "https://h.example/x" }],
  ["alert-least", { "alert-least": "all" }],
  ["alert-lag-hours", { "alert-lag-hours": -1 }],
  ["alert-repeat-hours", { "alert-repeat-hours": "daily" }],
])("%s is refused, and named: %j", (key, settings) => {
  expect(() => parseSettings(toml(settings))).toThrow(
    expect.objectContaining({ code: ErrorCode.usage, message: expect.stringContaining(key) }),
  );
});

test("a webhook on this machine needs no TLS", () => {
  for (const url of ["http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:9/x"]) {
    expect(parseSettings(toml({ ...hook, "alert-webhook": url })).alertWebhook).toBe(url);
  }
});
