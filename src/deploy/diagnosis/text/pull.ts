/** Why an image could not be pulled, as far as the runtime's text says. */
export type PullTrouble =
  | { readonly reason: 'not-found'; readonly what: 'repository' | 'tag' | 'either' }
  | { readonly reason: 'login' | 'architecture' }
  | { readonly reason: 'damaged' | 'no-space'; readonly why: string }
  | { readonly reason: 'unreachable'; readonly why: string }
  /** Something answers, but what it speaks cannot be understood or believed. */
  | { readonly reason: 'unfit'; readonly why: string }
  | { readonly reason: 'busy'; readonly why: string }

type Text = readonly [RegExp, (found: RegExpExecArray, said: string) => PullTrouble]

/** The first that fits counts: what is told of in two ways stands with its more exact one first. */
const texts: readonly Text[] = [
  [
    /no match for platform|no image found in (?:image index|manifest list) for|no matching manifest for/i,
    () => ({ reason: 'architecture' }),
  ],
  [/no space left on device/, () => ({ reason: 'no-space', why: 'the node has no space left' })],
  [/too ?many ?requests/i, () => ({ reason: 'busy', why: 'it is asked too often (429)' })],
  [
    /\b(50\d) (?:Internal Server Error|Not Implemented|Bad Gateway|Service Unavailable|Gateway Time-?out)|status(?: code)?:? (5\d\d)\b/i,
    ([, named, bare]) => ({ reason: 'busy', why: `it answers with an error (${named ?? bare})` }),
  ],
  [/server gave HTTP response to HTTPS client/, () => ({ reason: 'unfit', why: 'it speaks HTTP, and the node expects HTTPS' })],
  [/x509: (.+)$/, ([, why]) => ({ reason: 'unfit', why: `the node does not trust its certificate (${why})` })],
  [/lookup (\S+?)(?: on \S+)?: no such host/, ([, host]) => ({ reason: 'unreachable', why: `the name ${host} has no address` })],
  [
    /lookup (\S+?)(?: on \S+)?: /,
    ([, host]) => ({ reason: 'unreachable', why: `the node’s DNS does not tell the address of ${host}` }),
  ],
  [/connection refused/, () => ({ reason: 'unreachable', why: 'the connection is refused' })],
  [/no route to host|network is unreachable/, () => ({ reason: 'unreachable', why: 'no way leads there from the node' })],
  [
    /i\/o timeout|timeout awaiting|Client\.Timeout|deadline exceeded|handshake timeout/,
    () => ({ reason: 'unreachable', why: 'it does not answer' }),
  ],
  [
    /failed to (?:extract layer|unpack image)|unexpected commit digest|invalid tar header|gzip: invalid|wrong diff id|Error processing tar file|digest mismatch|failed size validation/i,
    (_, said) => ({ reason: 'damaged', why: /gzip: .+$/.exec(said)?.[0] ?? said.split(': ').at(-1) ?? said }),
  ],
  [
    /connection reset by peer|: (?:unexpected )?EOF$|broken pipe/,
    () => ({ reason: 'unreachable', why: 'it breaks the connection off' }),
  ],
  [/no basic auth credentials|401 Unauthorized/, () => ({ reason: 'login' })],
  // Docker Hub says the same of what is not there and of what is private: the first is likelier
  [
    /pull access denied|insufficient_scope|requested access to the resource is denied/i,
    () => ({ reason: 'not-found', what: 'repository' }),
  ],
  [
    /unauthorized|authentication required|authorization failed|no basic auth credentials|\bdenied:|403 Forbidden/i,
    () => ({ reason: 'login' }),
  ],
  [/name[ _]unknown|repository \S*not found/i, () => ({ reason: 'not-found', what: 'repository' })],
  [/manifest[ _]unknown/i, () => ({ reason: 'not-found', what: 'tag' })],
  [/\bnot found$|does not exist/i, () => ({ reason: 'not-found', what: 'either' })],
]

/** Reads what containerd, CRI-O or dockerd said of a pull that failed; undefined when it is about something else. */
export function pullTrouble(said: string): PullTrouble | undefined {
  // names of images and addresses stand in quotes, and may hold any word
  const bare = withoutPrefixes(said).replace(/ ?"[^"]*"/g, '')
  for (const [text, meant] of texts) {
    const found = text.exec(bare)
    if (found) return meant(found, bare)
  }
  return undefined
}

/** The sentence that matters: containerd and the kubelet put several in front of it, with the image's name in each. */
export function withoutPrefixes(said: string): string {
  return said
    .replace(/^Failed to pull image "[^"]*": /, '')
    .replace(/^Back-off pulling image "[^"]*": (?:ErrImagePull: )?/, '')
    .replace(/^rpc error: code = \w+ desc = /, '')
    .replace(/^failed to pull and unpack image "[^"]*": /, '')
    .replace(/^failed to resolve (?:reference|image)(?: "[^"]*")?: /, '')
    .replace(/\.$/, '')
}
