// Loaded before the program, in each of its threads (bin/holdfast, nodeFlags.ts): tells Node where the program's own files are. Node looks each of some
// hundred imports up in the file system, by file, folder, links and the package.json above it, to find what the import says already: a quarter of
// the start of a command, and nothing is lost where Node has no such hooks.

// Not imported by name: that would fail where it is not there.
const { registerHooks } = process.getBuiltinModule("node:module");

const ours = new URL("../../", import.meta.url).href;
const packages = new URL("node_modules/", ours).href;
const formats = new Map([
  [".ts", "module-typescript"],
  [".js", "module"],
]);

registerHooks?.({
  resolve(specifier, context, next) {
    const { parentURL } = context;
    if (specifier.startsWith(".") && parentURL?.startsWith(ours) && !parentURL.startsWith(packages)) {
      const format = formats.get(specifier.slice(-3));
      if (format !== undefined)
        return { url: new URL(specifier, parentURL).href, format, shortCircuit: true };
    }
    return next(specifier, context);
  },
});
