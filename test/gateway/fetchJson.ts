// A plain HTTPS request, without our own client.

import { request as httpsRequest } from "node:https";

/** Status and parsed JSON body. A GET unless told otherwise. */
export function fetchJson(
  url: string,
  headers: Record<string, string> = {},
  { method = "GET", body }: { readonly method?: string; readonly body?: string } = {},
): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      url,
      { method, rejectUnauthorized: false, agent: false, headers },
      (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("end", () => {
          resolve({
            status: response.statusCode ?? 0,
            body: JSON.parse(Buffer.concat(pieces).toString()) as unknown,
          });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}
