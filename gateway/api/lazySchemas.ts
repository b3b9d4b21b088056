// Fastify's compilers of schemas, put off: what checks a route's requests and writes its answers is made when the route is first asked. All of some 200
// routes at once took a third of a gateway's start, and one that starts again after a fault keeps its agents waiting.

import ajvCompiler, { type BuildCompilerFromPool } from "@fastify/ajv-compiler";
import serializerSelector from "@fastify/fast-json-stringify-compiler";
import type { FastifyServerOptions } from "fastify";

type Compilers = NonNullable<NonNullable<FastifyServerOptions["schemaController"]>["compilersFactory"]>;
type BuildSerializer = NonNullable<Compilers["buildSerializer"]>;
type Validator = ((...asked: unknown[]) => unknown) & { errors?: unknown };

/**
 * For Ajv: whether a schema is one at all is asked by a test, for all of them. Here it would compile JSON Schema's own schema first: 80 ms of a
 * gateway's first answer.
 */
export const provenSchemas = { validateSchema: false } as const;

/** For `schemaController.compilersFactory` of one app. A schema that cannot be compiled fails the requests of its route (500), and a test that compiles all. */
export function lazyCompilers(): Compilers {
  // One of each for an app: its groups of routes share what was compiled.
  const validatorsOf = ajvCompiler();
  const serializersOf = serializerSelector();
  return {
    buildValidator: ((...settings: Parameters<BuildCompilerFromPool>) => {
      let compile: ReturnType<BuildCompilerFromPool> | undefined;
      return (route: Parameters<ReturnType<BuildCompilerFromPool>>[0]): Validator => {
        let made: Validator | undefined;
        const validator: Validator = (...asked) => {
          compile ??= validatorsOf(...settings);
          made ??= compile(route) as Validator;
          const valid = made(...asked);
          validator.errors = made.errors;
          return valid;
        };
        // Fastify tells by it that this is one of Ajv's, and then gives what is checked its parent.
        return Object.assign(validator, { schemaEnv: true });
      };
    }) as BuildCompilerFromPool,
    buildSerializer: ((...settings: Parameters<BuildSerializer>) => {
      const compile = serializersOf(...settings);
      return (route: Parameters<typeof compile>[0]) => {
        let made: ReturnType<typeof compile> | undefined;
        return (answer: unknown): string => {
          made ??= compile(route);
          return made(answer);
        };
      };
    }) as BuildSerializer,
  };
}
