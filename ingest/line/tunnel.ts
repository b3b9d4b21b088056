// A way through an HTTP proxy: CONNECT, and from then on bytes both ways (RFC 9110, 9.3.6). What goes through it is TLS as without a proxy,
// checked end to end; the proxy sees host and port, and how much is sent.
//
// Node's own HTTP client asks for it, and not a library for proxies: it bounds the answer's head and parses it strictly. (https-proxy-agent
// and the `proxyEnv` of Node's agents read heads without an end.)

import type { IncomingMessage } from "node:http";
import { isIP, type Socket } from "node:net";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { http } from "./nodeHttp.ts";
import type { HttpProxy } from "./proxies.ts";

/** Of the answer's head. */
const headBytesMax = 16 * 1024;

/** The way through a proxy failed, in a manner that may be over soon. */
export class TunnelFailed extends Error {}

/**
 * Opens a way to `host:port`.
 * @throws TunnelFailed: the proxy is away, hangs, answers nonsense, or cannot reach the host; HoldfastError proxy-refused
 */
export async function openTunnel(
  proxy: HttpProxy,
  { host, port }: { readonly host: string; readonly port: number },
  timeoutMs: number,
): Promise<Socket> {
  const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const authorization = proxy.authorization();
  const { promise, resolve, reject } = Promise.withResolvers<[IncomingMessage, Socket, Buffer]>();
  const request = http.request({
    ...{ host: proxy.host, port: proxy.port, method: "CONNECT", path: target, agent: false },
    maxHeaderSize: headBytesMax,
    headers: {
      host: target,
      "user-agent": "holdfast",
      ...(authorization !== undefined && { "proxy-authorization": authorization }),
    },
  });
  const late = setTimeout(
    () => request.destroy(new Error(`it did not answer within ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  request.once("connect", (...answer: [IncomingMessage, Socket, Buffer]) => resolve(answer));
  request.on("error", reject);
  request.end();
  try {
    const [answer, socket, head] = await promise;
    try {
      check(proxy, target, answer, head);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return socket;
  } catch (error) {
    if (error instanceof HoldfastError || error instanceof TunnelFailed) throw error;
    throw new TunnelFailed(`the proxy at ${proxy.name} opens no way to ${target}: ${reasonOf(error)}`, {
      cause: error,
    });
  } finally {
    clearTimeout(late);
  }
}

/** @throws TunnelFailed; HoldfastError proxy-refused */
function check(proxy: HttpProxy, target: string, answer: IncomingMessage, head: Buffer): void {
  const { statusCode: status = 0 } = answer;
  if (status >= 200 && status < 300) {
    // In TLS who connects speaks first: this is not from the host.
    if (head.length === 0) return;
    throw new TunnelFailed(`the proxy at ${proxy.name} sends what nobody asked for`);
  }
  if (status === 407) throw passwordWanted(proxy, answer);
  const what = `the proxy at ${proxy.name} opens no way to ${target}: it answers ${status}`;
  if (status >= 500 || status === 408 || status === 429) throw new TunnelFailed(what);
  throw new HoldfastError(ErrorCode.proxyRefused, what, {
    next: `Have whoever runs the proxy allow CONNECT to ${target}, or name the host in NO_PROXY if it can be reached without the proxy.`,
    detail: { proxy: proxy.name, status },
  });
}

function passwordWanted(proxy: HttpProxy, answer: IncomingMessage): HoldfastError {
  const offered = answer.headersDistinct["proxy-authenticate"]?.join(",") ?? "";
  const takesBasic = offered === "" || /(?:^|[\s,])basic(?:[\s,]|$)/i.test(offered);
  const detail = { proxy: proxy.name, status: 407 };
  if (!takesBasic)
    return new HoldfastError(
      ErrorCode.proxyRefused,
      `the proxy at ${proxy.name} wants a login of another kind than Basic, which alone is spoken here`,
      { next: "Have whoever runs the proxy allow Basic, or this host without a login.", detail },
    );
  return new HoldfastError(
    ErrorCode.proxyRefused,
    proxy.hasCredentials
      ? `the proxy at ${proxy.name} does not take the name and password that it was given`
      : `the proxy at ${proxy.name} wants a name and password`,
    {
      next: 'Write them into config.toml, proxy = "http://NAME:PASSWORD@HOST:PORT" (chmod 600), or into HTTPS_PROXY; in both, special characters as %XX.',
      detail,
    },
  );
}

function reasonOf(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (code === "HPE_HEADER_OVERFLOW") return `the head of its answer is longer than ${headBytesMax} bytes`;
  if (code.startsWith("HPE_")) return "its answer is no HTTP";
  return code === "ECONNRESET" && message === "socket hang up" ? "it hung up" : message;
}
