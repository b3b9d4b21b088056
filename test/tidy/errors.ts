// docs/errors.md and the closed list of codes in vault/errors.ts say the same.

/** The codes that the page has sections for, in its order. */
function sectionsOf(page: string): Map<string, string> {
  const sections = page.split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => [section.slice(0, section.indexOf("\n")).trim(), section] as const),
  );
}

/** Every code has one section, every section is a code's, and each says what it must. */
export function checkErrorPage(page: string, codes: readonly string[]): string[] {
  const sections = sectionsOf(page);
  const violations = codes
    .filter((code) => !sections.has(code))
    .map((code) => `docs/errors.md: no section for ${code}`);
  for (const [code, section] of sections) {
    if (!codes.includes(code)) violations.push(`docs/errors.md: ${code} is no code of vault/errors.ts`);
    for (const part of [/^- Arises: \S/m, /^- Do: \S/m, /^- Maps to: exit [12], HTTP [45]\d\d, E[A-Z]+$/m]) {
      if (!part.test(section)) violations.push(`docs/errors.md: ${code} lacks ${part.source}`);
    }
  }
  if (page.split(/^## /m).length - 1 !== sections.size)
    violations.push("docs/errors.md: a code has two sections");
  return violations;
}
