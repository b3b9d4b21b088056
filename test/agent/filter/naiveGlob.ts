// A slow, obvious matcher of whole paths, written from docs/filters.md without a look at the fast one.

type Part = string | { any: true } | { star: true } | { negated: boolean; ranges: [string, string][] };

function parseName(text: string): Part[] {
  const chars = [...text];
  const parts: Part[] = [];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string;
    if (char === "*") parts.push({ star: true });
    else if (char === "?") parts.push({ any: true });
    else if (char === "\\") parts.push(chars[++at] as string);
    else if (char === "[") {
      at++;
      const negated = chars[at] === "!" || chars[at] === "^";
      if (negated) at++;
      const ranges: [string, string][] = [];
      for (let first = true; first || chars[at] !== "]"; first = false) {
        const take = () => {
          if (chars[at] === "\\") at++;
          return chars[at++] as string;
        };
        const low = take();
        if (chars[at] === "-" && chars[at + 1] !== "]") {
          at++;
          ranges.push([low, take()]);
        } else ranges.push([low, low]);
      }
      parts.push({ negated, ranges });
    } else parts.push(char);
  }
  return parts;
}

const order = (char: string) => char.codePointAt(0) as number;

function nameMatches(parts: readonly Part[], chars: readonly string[]): boolean {
  const [part, ...rest] = parts;
  if (part === undefined) return chars.length === 0;
  if (typeof part === "object" && "star" in part) {
    for (let taken = 0; taken <= chars.length; taken++)
      if (nameMatches(rest, chars.slice(taken))) return true;
    return false;
  }
  const char = chars[0];
  if (char === undefined) return false;
  if (typeof part === "string") return part === char && nameMatches(rest, chars.slice(1));
  if ("any" in part) return nameMatches(rest, chars.slice(1));
  const inside = part.ranges.some(([low, high]) => order(char) >= order(low) && order(char) <= order(high));
  return inside !== part.negated && nameMatches(rest, chars.slice(1));
}

function pathMatches(pattern: readonly string[], names: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return names.length === 0;
  if (first === "**") {
    // At the end it stands for one or more names, elsewhere for any number.
    if (rest.length === 0) return names.length > 0;
    for (let taken = 0; taken <= names.length; taken++)
      if (pathMatches(rest, names.slice(taken))) return true;
    return false;
  }
  const [name, ...others] = names;
  return name !== undefined && nameMatches(parseName(first), [...name]) && pathMatches(rest, others);
}

/** Whether a case-sensitive glob names this path ("a/b/c", no slash in front); ignores what its parents would do. */
export function naiveGlob(glob: string, path: string, isFolder: boolean): boolean {
  if (glob.endsWith("/") && !isFolder) return false;
  const pattern = glob.split("/").filter((name) => name !== "");
  const names = path.split("/");
  return pathMatches(glob.startsWith("/") ? pattern : ["**", ...pattern], names);
}
