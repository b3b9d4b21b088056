// Where mail is handed over: smtps://USER@HOST:PORT (TLS from the first byte), smtp://... (STARTTLS, or it is refused), smtp-plain://HOST
// (neither TLS nor a password: a relay of the own network).

export type SmtpServer = {
  readonly host: string;
  readonly port: number;
  readonly security: "tls" | "starttls" | "none";
  readonly user?: string;
};

const schemes = {
  "smtps:": { security: "tls", port: 465 },
  "smtp:": { security: "starttls", port: 587 },
  "smtp-plain:": { security: "none", port: 25 },
} as const;

/** Undefined for what is no such address. */
export function fromUrl(text: string): SmtpServer | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const scheme = schemes[url.protocol as keyof typeof schemes];
  const rest = url.password + url.pathname.replace(/^\/$/, "") + url.search + url.hash;
  if (scheme === undefined || url.hostname === "" || rest !== "") return undefined;
  if (url.username !== "" && scheme.security === "none") return undefined;
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? scheme.port : Number(url.port),
    security: scheme.security,
    ...(url.username !== "" && { user: decodeURIComponent(url.username) }),
  };
}

/** Whether a host's name in a URL is this machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
