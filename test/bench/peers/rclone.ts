// rclone serves a mounted folder over WebDAV, without TLS and without a password.

import { type Program, startService, untilReady } from "../measure/programs.ts";
import type { Mounted, WebDav } from "./peer.ts";
import { accepts, freePort } from "./ports.ts";

/** Serves what `mounted` shows; `home` is for rclone's own files. */
export async function serveByRclone(mounted: Mounted, home: string): Promise<WebDav> {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const args = ["serve", "webdav", mounted.root, "--addr", address, "--read-only", "--config", "/dev/null"];
  const program: Program = { command: "rclone", args, env: { HOME: home }, role: "rclone" };
  const service = startService(program);
  await untilReady(program, service, () => accepts(port));
  return {
    url: `http://${address}/`,
    services: new Map([
      ["rclone", service.pid],
      ["mount", mounted.pid],
    ]),
    stop: () => service.stop(),
  };
}
