// Run by authorities.test.ts as a program: asks servers by each kind of connection that needs a known authority, and says what came of it.

import { alertSettingsDefault } from "../../gateway/alerts/alertSettings.ts";
import { handOver } from "../../gateway/alerts/delivery/smtp.ts";
import { webhookWay } from "../../gateway/alerts/delivery/webhook.ts";
import { Transport, usualTuning } from "../../gateway/replica/s3/transport.ts";
import { connectPinned, probeGateway } from "../../ingest/client/pinnedAgent.ts";

const [port = "", mailPort = "", secretFile = ""] = process.argv.slice(2);
const url = `https://localhost:${port}/`;
const alerts = {
  ...{ alertSmtp: `smtps://localhost:${mailPort}`, alertMailFrom: "box@example.org" },
  ...{ alertWebhook: url, alertWebhookSecretFile: secretFile },
};
const settings = { ...alertSettingsDefault, ...alerts };
const { signal } = new AbortController();

async function said(work: () => Promise<unknown>): Promise<string> {
  try {
    return String(await work());
  } catch (error) {
    return String(error);
  }
}

const s3 = async (): Promise<number> => {
  const transport = new Transport(usualTuning);
  const request = { method: "GET", protocol: "https:", hostname: "localhost", port: Number(port), path: "/" };
  try {
    return (await transport.handle({ ...request, query: {}, headers: {} } as never)).response.statusCode;
  } finally {
    transport.destroy();
  }
};
const mail = { to: ["admin@example.org"], subject: "s", text: "t", messageId: "one@example.org" };
const message = { id: "1", kind: "test", gateway: { id: "1", name: "g" }, time: "", alerts: [], more: 0 };
const place = { host: "localhost", port: Number(port), servername: "localhost" };
const connection = { fingerprint: undefined, connectTimeoutMs: 20_000 };

console.log(
  JSON.stringify({
    s3: await said(s3),
    mail: await said(async () => (await handOver(settings, mail, signal)).refused),
    webhook: await said(async () => {
      await webhookWay(settings, () => new Date())?.send(message as never, signal);
      return "sent";
    }),
    gateway: await said(async () => (await connectPinned(place, connection)).destroy().authorized),
    probe: await said(async () => (await probeGateway(url)).trusted),
  }),
);
