// What every process of ours tells Node; bin/holdfast has the same, and says why.

export const nodeFlags: readonly string[] = [
  "--no-memory-protection-keys",
  "--no-maglev",
  "--wasm-wrapper-tiering-budget=2147483647",
];
