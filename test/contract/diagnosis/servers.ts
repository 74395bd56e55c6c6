import { bash } from './rig.ts'

interface Served {
  readonly at?: string
  readonly port?: number
  /** How long it does something else first. */
  readonly afterSeconds?: number
  /** How long it serves. Default: for good. */
  readonly seconds?: number
}

/** A script that answers every request at port 8080 with a status. */
export function answering(status: number, served: Served = {}): string {
  return serving(
    `sysread $c, $b, 4096; print $c "HTTP/1.1 ${status} Status\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"; close $c`,
    served,
  )
}

/** A script that takes requests and never answers. */
export const silent = serving('push @kept, $c', {})

/** A script that takes requests and closes them without an answer. */
export const hangingUp = serving('sysread $c, $b, 4096; close $c', {})

function serving(each: string, { at = '0.0.0.0', port = 8080, afterSeconds = 0, seconds = 0 }: Served): string {
  const open = `IO::Socket::INET->new(Listen => 9, LocalAddr => "${at}", LocalPort => ${port}, ReuseAddr => 1) or die $!`
  const program = `$SIG{ALRM} = sub { exit 0 }; alarm ${seconds}; $s = ${open}; while ($c = $s->accept) { ${each} }`
  return `${afterSeconds > 0 ? `sleep ${afterSeconds}; ` : ''}perl -MIO::Socket::INET -e '${program}'`
}

/** A script that speaks TLS at port 8080. */
export const answeringTls =
  'openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key -out /tmp/crt -subj /CN=web -days 2 2>/dev/null; exec openssl s_server -accept 8080 -cert /tmp/crt -key /tmp/key -www -quiet'

/** A program that only stays. */
export const stays = bash('exec sleep infinity')
