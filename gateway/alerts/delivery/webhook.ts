// Alerts by a POST of JSON, signed: `holdfast-signature: t=SECONDS,v1=HEX`, where HEX is HMAC-SHA256(secret, "SECONDS.BODY").
//
// Invariants: redirects are not followed (any answer but 2xx is a failure); the answer's body is thrown away; the secret is in no log and no message.

import { createHmac } from "node:crypto";
import { request as httpsRequest } from "node:https";
import type { TlsAuthorities } from "../../../ingest/line/authorities.ts";
import { http } from "../../../ingest/line/nodeHttp.ts";
import type { AlertSettings } from "../alertSettings.ts";
import { type AlertMessage, subjectOf } from "./message.ts";
import { notSent, readAuthorities, readSecret, sendMsMax, type Way } from "./way.ts";

const signatureHeader = "holdfast-signature";

/** Undefined where the settings name none. `now`: of the signature. */
export function webhookWay(settings: AlertSettings, now: () => Date): Way | undefined {
  if (settings.alertWebhook === "") return undefined;
  const url = new URL(settings.alertWebhook);
  const send = async (message: AlertMessage, signal: AbortSignal): Promise<void> => {
    const secret = await readSecret(settings.alertWebhookSecretFile);
    const authorities = await readAuthorities(settings.alertCaFile);
    const body = JSON.stringify({ ...message, title: subjectOf(message) });
    const seconds = Math.floor(now().getTime() / 1000);
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "user-agent": "holdfast",
      [signatureHeader]: `t=${seconds},v1=${signatureOf(secret, seconds, body)}`,
    };
    const stop = AbortSignal.any([signal, AbortSignal.timeout(sendMsMax)]);
    try {
      const status = await post(url, headers, body, authorities, stop);
      if (status < 200 || status > 299) throw new Error(`it answered ${status}`);
    } catch (error) {
      signal.throwIfAborted();
      const why = stop.aborted ? `no answer in ${sendMsMax / 1000} s` : (error as Error).message;
      throw notSent(`${url.origin}: ${why}`, "Look at alert-webhook; holdfast alert test tries it.");
    }
  };
  return { name: "webhook", send };
}

/** Hex. */
function signatureOf(secret: string, seconds: number, body: string): string {
  return createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
}

function post(
  url: URL,
  headers: Record<string, string | number>,
  body: string,
  authorities: TlsAuthorities,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { method: "POST", headers, signal, agent: false };
    const request =
      url.protocol === "https:"
        ? httpsRequest(url, { ...options, minVersion: "TLSv1.2", ...authorities })
        : http.request(url, options);
    request.once("error", reject);
    request.once("response", (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    request.end(body);
  });
}
