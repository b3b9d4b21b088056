// Spends one core on the gateway's expense, until it is ended: node wrongLogins.ts kept|fresh|spin URL
//
// `kept`: wrong logins over eight connections that stay; `fresh`: each over a connection of its own; `spin`: nothing is sent, the core is spent all
// the same, for comparison on a machine where the gateway and an agent want all cores.

import { randomBytes } from "node:crypto";
import { Agent, request } from "node:https";

const [how = "", url = ""] = process.argv.slice(2);
const atOnce = 8;

function login(agent: Agent | false, name: string): Promise<void> {
  const body = JSON.stringify({ account: name, l: randomBytes(24).toString("base64") });
  return new Promise((resolve) => {
    const sent = request(
      new URL("/v1/login", url),
      {
        method: "POST",
        agent,
        rejectUnauthorized: false,
        headers: { "content-type": "application/json", "content-length": body.length },
      },
      (response) => response.resume().once("close", resolve),
    );
    sent.once("error", () => resolve());
    sent.end(body);
  });
}

async function attack(agent: Agent | false): Promise<never> {
  for (let i = 0; ; i++) await login(agent, i % 2 === 0 ? "bench" : `nobody-${i}`);
}

process.stdout.write("ready\n");
if (how === "spin") {
  for (;;) randomBytes(1024);
} else {
  const agent = how === "kept" && new Agent({ keepAlive: true, maxSockets: atOnce });
  await Promise.all(Array.from({ length: atOnce }, () => attack(agent)));
}
