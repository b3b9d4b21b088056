// Adding a replica in a bucket of a server that is not there.
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, it } from "vitest";
import { probePlace } from "../../../../gateway/replica/probePlace.ts";
import { ErrorCode } from "../../../../vault/errors.ts";

it("is given up after a few tries: somebody waits for the answer", async () => {
  let tries = 0;
  const server = createServer((socket) => {
    tries++;
    socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  process.env.AWS_ACCESS_KEY_ID = "K";
  process.env.AWS_SECRET_ACCESS_KEY = "s";
  try {
    const probe = probePlace({ url: "s3://bucket", options: { endpoint } }, { now: () => new Date() });
    await expect(probe).rejects.toMatchObject({ code: ErrorCode.replicaUnreachable });
    expect(tries).toBe(4);
  } finally {
    delete process.env.AWS_ACCESS_KEY_ID;
    delete process.env.AWS_SECRET_ACCESS_KEY;
    server.close();
  }
});
