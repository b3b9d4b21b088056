// The config.toml that is written for an administrator: every key with a comment.

import { formatAlertSettings } from "./alerts/alertSettings.ts";
import { formatProxySettings } from "./proxySettings.ts";
import type { GatewaySettings } from "./settings.ts";

/** The text of a config.toml with these settings. */
export function formatSettings(settings: GatewaySettings): string {
  const text = (value: string): string => JSON.stringify(value);
  return `# Settings of this Holdfast gateway. After a change: systemctl reload, or SIGHUP.

# What people call this gateway; also in its certificate.
name = ${text(settings.name)}

# Address and port of the HTTPS listener.
listen = ${text(settings.listen)}

# https://HOST:PORT by which agents reach this gateway; boxes and moved homes name it. Empty: not known.
public-url = ${text(settings.publicUrl)}

# trace, debug, info, warn, error or silent
log-level = ${text(settings.logLevel)}

# Uploads are refused when less than this many MiB are free on the disk.
reserve-mib = ${settings.reserveMiB}

# WebDAV has no symbolic links. Those that lead to a file of their snapshot show that file; the others
# are small files that hold their target. true: leave these out.
webdav-hide-links = ${settings.webdavHideLinks}

# MiB of opened content and folders that drives and WebDAV keep in memory, 20 at least. A change needs a restart.
drive-cache-mib = ${settings.driveCacheMiB}

# GiB of the disk for content that is read from replicas (in cache/). A change needs a restart.
cache-gib = ${settings.cacheGiB}

# Packs that a replica has leave this disk when more than the first share of it is used, or what is to stay free is
# reached, until the second is; what was used last stays longest. 0: only with \`holdfast gateway evict\`.
evict-above-percent = ${settings.evictAbovePercent}
evict-to-percent = ${settings.evictToPercent}

# A pack leaves only if all its bytes were proven to be in a replica within so many days; else they are proven first.
evict-proof-days = ${settings.evictProofDays}

# A running gateway reads every pack on this disk within so many days and compares it with its hash, what was not for
# longest first; 0: only with \`holdfast gateway scrub\`. Reading takes so much a second at most, a quarter of it while
# uploads come; a table by time as for replicas, empty: no limit.
scrub-every-days = ${settings.scrubEveryDays}
scrub-rate = ${text(settings.scrubRate)}

# While a vault is unlocked, some of its files are restored in memory and compared with their hashes, once in so many
# days; 0: only with \`holdfast gateway drill\`.
drill-every-days = ${settings.drillEveryDays}

# Who may read /metrics, which names accounts, devices and items: "off" (nobody), "token" (who has the token of
# \`holdfast gateway metrics-token\`), "open" (everybody who reaches the port).
metrics = ${text(settings.metrics)}

# The history of jobs (\`holdfast job list\`): so many of each kind, and no older ones than so many days.
jobs-kept = ${settings.jobsKept}
jobs-days = ${settings.jobsDays}

${formatAlertSettings(settings)}
${formatProxySettings(settings)}
# What no policy keeps (holdfast retention set) goes to the trash every so many hours. 0: only with \`holdfast gateway prune\`.
prune-every-hours = ${settings.pruneEveryHours}

# What no snapshot needs any more is freed every so many hours, behind a prune that is due then, too. 0: only with
# \`holdfast gateway gc\`. To write packs anew, a run copies so many GiB at most, and begins no other after so many hours; 0: any.
gc-every-hours = ${settings.gcEveryHours}
gc-budget-gib = ${settings.gcBudgetGiB}
gc-for-hours = ${settings.gcForHours}

# A sudden change in a backup holds what there was before it, and raises an alert (docs/guard.md): when so many percent of
# an item are rewritten, of which most look encrypted, renamed, gone, or rewritten little by little. 0: not for that.
guard = ${settings.guard}
guard-rewritten-percent = ${settings.guardRewrittenPercent}
guard-encrypted-percent = ${settings.guardEncryptedPercent}
guard-renamed-percent = ${settings.guardRenamedPercent}
guard-vanished-percent = ${settings.guardVanishedPercent}
guard-creeping-percent = ${settings.guardCreepingPercent}

# Your own certificate chain and key in PEM; empty: the self-signed ones in tls/.
tls-cert = ${text(settings.tlsCertificate)}
tls-key = ${text(settings.tlsKey)}

# Addresses and networks ("192.0.2.0/24", "2001:db8::/32") that alone may connect, and those that may not. Empty: all may.
allow = ${JSON.stringify(settings.allow)}
deny = ${JSON.stringify(settings.deny)}

# Reverse proxies in front of this gateway; only what they say in X-Forwarded-For is believed.
trusted-proxies = ${JSON.stringify(settings.trustedProxies)}
`;
}
