import { describe, expect, test } from 'vitest'
import { unresolved } from '../../../../src/deploy/diagnosis/text/dns.ts'

describe('names that a program could not resolve', () => {
  test.each([
    ['Node.js', 'Error: getaddrinfo ENOTFOUND postgress', 'postgress'],
    ['Node.js, musl', 'Error: getaddrinfo EAI_AGAIN db.shop', 'db.shop'],
    ['Go', 'dial tcp: lookup postgress on 10.96.0.10:53: no such host', 'postgress'],
    ['Go, without a server', 'dial tcp: lookup db.shop.svc.cluster.local.: no such host', 'db.shop.svc.cluster.local'],
    [
      'libpq',
      'psycopg2.OperationalError: could not translate host name "postgress" to address: Name or service not known',
      'postgress',
    ],
    ['Java', 'Caused by: java.net.UnknownHostException: postgress', 'postgress'],
    ['Java, with more', 'java.net.UnknownHostException: kafka: Name or service not known', 'kafka'],
    ['curl', 'curl: (6) Could not resolve host: api', 'api'],
    ['wget', 'wget: unable to resolve host address ‘api’', 'api'],
    ['BusyBox', "wget: bad address 'api:8080'", 'api'],
    ['MySQL', "ERROR 2005 (HY000): Unknown MySQL server host 'mysqll' (-2)", 'mysqll'],
    ['nginx', '[emerg] 1#1: host not found in upstream "api" in /etc/nginx/conf.d/default.conf:3', 'api'],
    ['PHP', 'php_network_getaddresses: getaddrinfo for mysqll failed: Name or service not known', 'mysqll'],
    [
      'requests',
      'NameResolutionError("<HTTPConnection>: Failed to resolve \'api\' ([Errno -2] Name or service not known)")',
      'api',
    ],
    ['.NET', 'System.Net.Sockets.SocketException (0xFFFDFFFF): Name or service not known (postgress:5432)', 'postgress'],
    ['ping', 'ping: postgress: Name or service not known', 'postgress'],
  ])('%s: %s', (_, line, host) => {
    expect(unresolved([line])).toEqual({ hosts: [host], isUnnamed: false })
  })

  test.each([
    'socket.gaierror: [Errno -2] Name or service not known',
    'failed to lookup address information: Name or service not known',
    '[error] Postgrex.Protocol failed to connect: ** (DBConnection.ConnectionError) tcp connect (postgress:5432): non-existing domain - :nxdomain',
  ])('without the name: %s', (line) => {
    expect(unresolved([line])).toEqual({ hosts: [], isUnnamed: true })
  })

  test.each(['connect ECONNREFUSED 10.96.12.7:5432', 'lookup table users: no such column', 'ready to accept connections'])(
    'none in: %s',
    (line) => {
      expect(unresolved([line])).toEqual({ hosts: [], isUnnamed: false })
    },
  )
})
