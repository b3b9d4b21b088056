// Spends one core on the gateway's expense, until it is ended: node wrongLogins.ts kept|fresh|spin URL
//
// `kept`: wrong logins over eight connections that stay, each from an address of its own; `fresh`: each over a connection of its own, from an
// address that the gateway has not seen, so that it is not made to wait; `spin`: nothing is sent, the core is spent all
// the same, for comparison on a machine where the gateway and an agent want all cores.

import { randomBytes, randomInt } from "node:crypto";
import { Agent, request } from "node:https";

const [how = "", url = ""] = process.argv.slice(2);
const atOnce = 8;

/** One of the loopback network's 16 million. */
const anyAddress = (): string => `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(2, 255)}`;

function login(agent: Agent | false, localAddress: string, name: string): Promise<void> {
  const body = JSON.stringify({ account: name, l: randomBytes(24).toString("base64") });
  return new Promise((resolve) => {
    const sent = request(
      new URL("/v1/login", url),
      {
        method: "POST",
        agent,
        localAddress,
        rejectUnauthorized: false,
        headers: { "content-type": "application/json", "content-length": body.length },
      },
      (response) => response.resume().once("close", resolve),
    );
    sent.once("error", () => resolve());
    sent.end(body);
  });
}

async function attack(): Promise<never> {
  const kept = how === "kept" && {
    agent: new Agent({ keepAlive: true, maxSockets: 1 }),
    address: anyAddress(),
  };
  for (let i = 0; ; i++) {
    const name = i % 2 === 0 ? "bench" : `nobody-${i}`;
    await (kept ? login(kept.agent, kept.address, name) : login(false, anyAddress(), name));
  }
}

process.stdout.write("ready\n");
if (how === "spin") {
  for (;;) randomBytes(1024);
} else {
  await Promise.all(Array.from({ length: atOnce }, attack));
}
