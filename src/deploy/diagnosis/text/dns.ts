/** Names that a program could not resolve, by its own words. */
export interface Unresolved {
  readonly hosts: readonly string[]
  /** Whether it said that it could not resolve a name, and not which. */
  readonly isUnnamed: boolean
}

/** How languages and clients say it, with the name. */
const named = [
  // Node.js
  /\bgetaddrinfo (?:ENOTFOUND|EAI_AGAIN|EAI_NONAME) ([\w.-]+)/g,
  // Go
  /\blookup ([\w.-]+?)(?: on \S+)?: (?:no such host|server misbehaving)/g,
  // libpq
  /\bcould not translate host name "([\w.-]+)" to address/g,
  // Java
  /\bUnknownHostException: ([\w.-]+)/g,
  // curl
  /\b(?:[Cc]ould not|[Cc]ouldn't) resolve host(?: name)?:? ['"]?([\w.-]+)/g,
  // wget; BusyBox
  /\bunable to resolve host address [‘'"]([\w.-]+)/g,
  /\bbad address '([\w.-]+)/g,
  // MySQL's client
  /\bUnknown (?:MySQL )?server host '([\w.-]+)'/g,
  // nginx
  /\bhost not found in (?:upstream|resolver) "([\w.-]+)/g,
  // PHP
  /\bgetaddrinfo for ([\w.-]+) failed/g,
  // Python's aiohttp and requests
  /\bFailed to resolve '([\w.-]+)'/g,
  /\bCannot connect to host ([\w.-]+):\d+ .*(?:Name or service not known|name resolution)/g,
  // .NET
  /(?:Name or service not known|Name does not resolve|name resolution) \(([\w.-]+):\d+\)/g,
  // what libc says, after the name: getent, ping, ssh, perl
  /(?:^|[\s'"])([\w.-]+): (?:Name or service not known|Name does not resolve|Temporary failure in name resolution)/g,
]

/** Ends of sentences that stand where libc has the name. */
const notHosts = new Set(['information', 'address', 'failed', 'error'])

const unnamed =
  /Name or service not known|Name does not resolve|nodename nor servname provided|[Ff]ailure in name resolution|failed to lookup address information|No address associated with hostname|getaddrinfo failed|:nxdomain\b/

/** By the first way that fits: the last one would take a word of the others for a name. */
function hostsIn(line: string): readonly string[] {
  for (const way of named) {
    const hosts = [...line.matchAll(way)].map(([, host = '']) => host.replace(/\.$/, '')).filter((host) => !notHosts.has(host))
    if (hosts.length > 0) return hosts
  }
  return []
}

/** What last lines tell of names that were not found. */
export function unresolved(lines: readonly string[]): Unresolved {
  const hosts = lines.flatMap(hostsIn)
  return { hosts: [...new Set(hosts)], isUnnamed: hosts.length === 0 && lines.some((line) => unnamed.test(line)) }
}
