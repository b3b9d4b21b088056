// Routes of the admin socket for long work (admin/job.ts says what goes over the wire).

import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { JobWatch } from "../admin/job.ts";
import type { Gateway } from "../gateway.ts";
import { closedSignal } from "./closedSignal.ts";
import { asHoldfastError, errorBody } from "./errorAnswer.ts";

/** Progress goes out at most this often: who watches over a slow pipe must not fill our memory. */
const progressMs = 200;

/** A route that starts a job with its body and streams what becomes of it. A client that goes away stops it. */
export function jobRoute<Body, Progress>(
  app: FastifyInstance,
  gateway: Pick<Gateway, "attend">,
  path: string,
  body: object,
  start: (body: Body, watch: JobWatch<Progress>) => Promise<object>,
): void {
  app.post<{ Body: Body }>(path, { schema: { body } }, async (request, reply) => {
    const signal = closedSignal(request.raw, reply.raw);
    const lines = new Readable({ read() {} });
    const line = (value: object): void => {
      if (!signal.aborted) lines.push(`${JSON.stringify(value)}\n`);
    };
    let toldMs = Number.NEGATIVE_INFINITY;
    const onProgress = (progress: Progress): void => {
      const now = performance.now();
      if (now - toldMs < progressMs) return;
      toldMs = now;
      line({ progress });
    };
    const work = start(request.body as Body, { onProgress, signal });
    gateway.attend(work);
    work
      .then((result) => line({ result }))
      .catch((thrown: unknown) => {
        const error = asHoldfastError(thrown);
        if (error.code === ErrorCode.internal) request.log.error({ err: thrown }, "job failed");
        line(errorBody(signal.aborted ? new HoldfastError(ErrorCode.cancelled, "stopped") : error));
      })
      .finally(() => lines.push(null));
    return reply.type("application/x-ndjson").send(lines);
  });
}
