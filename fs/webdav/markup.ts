// Text inside XML and HTML.

const special = /[&<>"'\r]/g;
const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "\r": "&#13;",
};
/** What XML 1.0 cannot hold, not even escaped (its `Char`), lone surrogates included. */
const illegal = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
const plain = /^[\w .,:;@/+~()=-]*$/;

/** Text for XML or HTML, in content or in a quoted attribute. Characters that are illegal there become U+FFFD. */
export function escapeMarkup(text: string): string {
  if (plain.test(text)) return text;
  return text.replace(illegal, "\ufffd").replace(special, (char) => entities[char] as string);
}
