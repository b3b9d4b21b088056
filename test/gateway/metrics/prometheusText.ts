// A strict reader of Prometheus' text format (version 0.0.4), of its own: what it does not expect is an error.

export type Series = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};
export type Family = { readonly type: string; readonly help: string; readonly series: readonly Series[] };

const sample =
  /^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?<labels>(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (?<value>\S+)$/;
const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;
const special: Readonly<Record<string, number>> = { "+Inf": Infinity, "-Inf": -Infinity, Nan: NaN, NaN };

/** Families by name. Throws where a line is none, a family has no type or help, a series is there twice, or a value is no number. */
export function parsePrometheusText(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, { type: string; help: string; series: Series[] }>();
  const seen = new Set<string>();
  let open: string | undefined;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const about = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (about !== null) {
      const [, what, name, rest] = about as unknown as [string, string, string, string];
      const family = families.get(name) ?? { type: "", help: "", series: [] };
      if (family.series.length > 0) throw new Error(`${name} is there twice`);
      families.set(name, family);
      if (what === "HELP") family.help = rest;
      else family.type = rest;
      open = name;
      continue;
    }
    const match = sample.exec(line);
    if (match?.groups === undefined) throw new Error(`no line of the format: ${line}`);
    const { name = "", labels = "", value = "" } = match.groups;
    const base = families.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "");
    const family = families.get(base);
    if (family === undefined || base !== open) throw new Error(`${name} has no HELP and TYPE before it`);
    if (seen.has(`${name}{${labels}}`)) throw new Error(`${name}{${labels}} is there twice`);
    seen.add(`${name}{${labels}}`);
    const number = special[value] ?? Number(value);
    if (Number.isNaN(number) && value !== "NaN" && value !== "Nan")
      throw new Error(`${name}: ${value} is no number`);
    const pairs = [...labels.matchAll(label)].map(([, key = "", text = ""]): [string, string] => [key, text]);
    family.series.push({ name, labels: Object.fromEntries(pairs), value: number });
  }
  for (const [name, { type, help }] of families) {
    if (type === "" || help === "") throw new Error(`${name} lacks HELP or TYPE`);
  }
  return families;
}

/** The value of the one series with these labels (among others). */
export function seriesValue(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ""));
  const found = family?.series.filter(
    (each) =>
      each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value),
  );
  if (found !== undefined && found.length > 1) throw new Error(`${name} has several such series`);
  return found?.[0]?.value;
}
