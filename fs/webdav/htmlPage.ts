// The frame of the pages that browsers see: self-contained, no script, nothing loaded from anywhere, light or dark as the reader has it.

import { createHash } from "node:crypto";

const style = `
:root{color-scheme:light dark;--line:#8884;--soft:#666;--link:#0b57a4}
@media (prefers-color-scheme:dark){:root{--soft:#aaa;--link:#8ab8f0}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:72rem;font:1rem/1.5 system-ui,sans-serif}
a{color:var(--link);text-decoration:none}
a:hover,a:focus-visible{text-decoration:underline}
nav ol{display:flex;flex-wrap:wrap;gap:.3rem;margin:0;padding:0;list-style:none;overflow-wrap:anywhere}
nav li+li::before{content:"/";content:"/" / "";color:var(--soft);margin-right:.3rem}
h1{margin:.4rem 0;font-size:1.4rem;overflow-wrap:anywhere}
p{margin:.4rem 0;color:var(--soft)}
table{width:100%;border-collapse:collapse;margin-top:.6rem}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th,td{padding:.3rem .5rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
thead th{color:var(--soft);font-weight:600;white-space:nowrap}
thead th:first-child{width:100%}
tbody th{font-weight:400;overflow-wrap:anywhere;white-space:pre-wrap}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.t{white-space:nowrap;font-variant-numeric:tabular-nums}
.d{font-weight:600}
.l{color:var(--soft)}
@media (max-width:36rem){.t{display:none}}
`;

const styleHash = createHash("sha256").update(style).digest("base64");

/** Headers of every page. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  vary: "accept, accept-encoding",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Everything up to the body's content. The title is markup already. */
export function pageHead(title: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} - Holdfast</title>
<style>${style}</style>
</head>
<body>
`;
}

export const pageFoot = "</body>\n</html>\n";
