// The compiler's modules, joined into few files: Node needs half a millisecond for each file that it loads, and a backup has 230 of them. Packages of
// others stay as they are. What is joined still finds the files beside it: a module's import.meta.url is the address it has in the build.

import { realpathSync } from "node:fs";
import { relative } from "node:path";
import { rolldown } from "rolldown";

export type Joining = {
  /** What the compiler made. */
  readonly build: string;
  /** Files of it, which stay files of their own: what is started, by a command line or as a thread. */
  readonly started: readonly string[];
  /** Files of it that may be named and are not there. */
  readonly cut: readonly string[];
  readonly to: string;
};

/** Stands for the build's own address, until it is known which file a module went to. */
const ownRoot = "HOLDFAST_BUILD_ROOT";
const addresses = /\bimport\.meta\.(\w+)/g;

/** What is joined imports modules of others by lines of these two forms. */
const nodeImports = /^import (?:\{([^}]*)\}|\* as (\w+)) from ("node:[^"]+");$/gm;
const otherNodeImports = /^(?:import|export)\b(?:.* from)? "node:/m;

/**
 * Node's own modules without an import of them: for one, Node looks up every name that the module has, and some of these load further modules of its
 * own (`ReadStream` and `promises` of node:fs, `webcrypto` of node:crypto). 10 to 17 ms of each command.
 */
function withoutNodeImports(code: string, file: string): string {
  const got = code.replaceAll(
    nodeImports,
    (_, names: string | undefined, whole: string | undefined, name: string) => {
      const wanted = names === undefined ? whole : `{${names.replaceAll(/\bas\b/g, ":")}}`;
      return `const ${wanted} = process.getBuiltinModule(${name});`;
    },
  );
  if (otherNodeImports.test(got))
    throw new Error(`${file} imports a module of Node's in a form that is not known here`);
  return got;
}

/** Joins them; answers the files of the build that are in it. Throws where one is used that is neither there nor cut. */
export async function joinModules({ build: given, started, cut, to }: Joining): Promise<string[]> {
  const build = realpathSync(given);
  const left = new Set(cut.map((file) => `${build}/${file}`));
  const joined = await rolldown({
    input: Object.fromEntries(started.map((file) => [file.slice(0, -".js".length), `${build}/${file}`])),
    // So that the comments that name each module are the same wherever it is built.
    cwd: build,
    platform: "node",
    treeshake: false,
    external: (id) => !/^[./]/.test(id) || left.has(id),
    onLog: (level, { message }) => {
      if (level === "warn") throw new Error(`joining ${build}: ${message}`);
    },
    plugins: [
      {
        name: "addresses",
        transform: (code, id) => {
          const url = `new URL(${JSON.stringify(relative(build, id))}, ${ownRoot}).href`;
          return code.replaceAll(addresses, (_, part: string) => {
            if (part !== "url") throw new Error(`${id} asks for import.meta.${part}`);
            return url;
          });
        },
        renderChunk: (code, { fileName }) => {
          const up = "../".repeat(fileName.split("/").length - 1) || "./";
          return withoutNodeImports(code, fileName).replaceAll(
            ownRoot,
            `new URL(${JSON.stringify(up)}, import.meta.url)`,
          );
        },
      },
    ],
  });
  const { output } = await joined.write({
    ...{ dir: to, format: "esm", keepNames: true, minify: false },
    ...{ entryFileNames: "[name].js", chunkFileNames: "joined/[name]-[hash].js" },
  });
  await joined.close();
  const modules = output.flatMap((file) => (file.type === "chunk" ? Object.keys(file.modules) : []));
  return modules.filter((id) => id.startsWith(build)).map((id) => relative(build, id));
}
