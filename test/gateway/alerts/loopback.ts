// Where alerts are sent to in tests: a mail server and a web server on loopback, which keep what they got.

import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

export type Mail = {
  readonly to: readonly string[];
  readonly source: string;
  readonly secure: boolean;
  readonly user: string;
};

type Closing = (close: () => Promise<void>) => void;

/** A relay that takes what comes for `password`, with this certificate. */
export async function openRelay(
  closing: Closing,
  tls: { readonly certificate: string; readonly key: string },
  password: string,
  options: SMTPServerOptions,
): Promise<{ port: number; mails: Mail[]; logins: string[] }> {
  const mails: Mail[] = [];
  const logins: string[] = [];
  const server = new SMTPServer({
    ...{ cert: tls.certificate, key: tls.key, logger: false },
    onAuth: (auth, _session, done) => {
      logins.push(String(auth.password));
      if (auth.password === password) done(null, { user: String(auth.username) });
      else done(new Error("no such user and password"));
    },
    onData: (stream, session, done) => {
      stream.toArray().then((pieces) => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        const source = Buffer.concat(pieces as Buffer[]).toString();
        mails.push({ to, source, secure: session.secure, user: String(session.user) });
        done();
      }, done);
    },
    ...options,
  });
  // A client that leaves in the middle is no failure of the test.
  server.on("error", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing(() => new Promise((resolve) => server.close(() => resolve())));
  return { port: (server.server.address() as AddressInfo).port, mails, logins };
}

export type Post = { readonly headers: IncomingHttpHeaders; readonly body: string };

/** A web server that answers POSTs as told. */
export async function openWeb(
  closing: Closing,
  answer: (post: Post) => { status: number; location?: string },
): Promise<{ url: string; posts: Post[] }> {
  const posts: Post[] = [];
  const server: Server = createServer(async (request, response) => {
    const post = { headers: request.headers, body: Buffer.concat(await request.toArray()).toString() };
    posts.push(post);
    const { status, location } = answer(post);
    response.writeHead(status, location === undefined ? {} : { location }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing(() => new Promise((resolve) => server.close(() => resolve())));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, posts };
}
