// Licences under which we take in what others wrote.

const shipped = new Set(["MIT", "MIT-0", "ISC", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"]);
/** Of tools that are not shipped, changed or linked. */
const tools = new Set([...shipped, "MPL-2.0"]);

/** Whether a licence (SPDX; alternatives with OR) is one of them. */
export function satisfiedLicence(licence: string | undefined, isTool: boolean): boolean {
  const fine = isTool ? tools : shipped;
  return (licence ?? "")
    .replace(/^\((.*)\)$/, "$1")
    .split(" OR ")
    .some((each) => fine.has(each));
}
