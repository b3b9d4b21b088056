// Bytes to a gateway and back, without a client that would mend what is wrong with them.

import { connect } from "node:tls";

/** Sends bytes on a connection of their own and gives what came back until the peer closed it or was silent for `silentMs`. */
export function exchange(port: number, request: string | Buffer, silentMs = 400): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
      socket.write(typeof request === "string" ? Buffer.from(request, "latin1") : request);
    });
    socket.setTimeout(silentMs, () => socket.destroy());
    socket.on("data", (piece: Buffer) => {
      answer += piece.toString("latin1");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
    socket.on("close", () => resolve(answer));
  });
}
