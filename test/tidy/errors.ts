// docs/errors.md and the closed list of codes in vault/errors.ts say the same, and the page's numbers are those of the code.

import { constants } from "node:os";

/** How a failure looks outside: exit status of the program, HTTP status, errno of drives (positive). */
export type Outside = { readonly exit: number; readonly http: number; readonly errno: number };

const mapsTo = /^- Maps to: exit (\d+), HTTP (\d+), (E[A-Z]+)$/m;

/** The codes that the page has sections for, in its order. */
function sectionsOf(page: string): Map<string, string> {
  const sections = page.split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => [section.slice(0, section.indexOf("\n")).trim(), section] as const),
  );
}

/** Every code has one section, every section is a code's, and each says what it must and what `outsideOf` says of the code. */
export function checkErrorPage(
  page: string,
  codes: readonly string[],
  outsideOf: (code: string) => Outside,
): string[] {
  const sections = sectionsOf(page);
  const violations = codes
    .filter((code) => !sections.has(code))
    .map((code) => `docs/errors.md: no section for ${code}`);
  for (const [code, section] of sections) {
    for (const part of [/^- Arises: \S/m, /^- Do: \S/m, mapsTo]) {
      if (!part.test(section)) violations.push(`docs/errors.md: ${code} lacks ${part.source}`);
    }
    if (codes.includes(code)) violations.push(...differences(code, section, outsideOf(code)));
    else violations.push(`docs/errors.md: ${code} is no code of vault/errors.ts`);
  }
  if (page.split(/^## /m).length - 1 !== sections.size)
    violations.push("docs/errors.md: a code has two sections");
  return violations;
}

/** Where a section's numbers are not those of the code. Each column is compared by itself. */
function differences(code: string, section: string, { exit, http, errno }: Outside): string[] {
  const said = mapsTo.exec(section);
  if (said === null) return [];
  const [, saidExit, saidHttp, name = ""] = said;
  const saidErrno = (constants.errno as Readonly<Record<string, number>>)[name];
  return (
    [
      ["exit status", saidExit, exit, Number(saidExit)],
      ["HTTP status", saidHttp, http, Number(saidHttp)],
      ["errno", name, errno, saidErrno],
    ] as const
  )
    .filter(([, , is, says]) => is !== says)
    .map(([what, text, is]) => `docs/errors.md: ${code} has ${what} ${text}, the code ${is}`);
}
