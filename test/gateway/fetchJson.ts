// A plain HTTPS GET, without our own client.

import { get } from "node:https";

/** Status and parsed JSON body. */
export function fetchJson(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    get(url, { rejectUnauthorized: false, agent: false, headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          body: JSON.parse(Buffer.concat(pieces).toString()) as unknown,
        });
      });
    }).on("error", reject);
  });
}
