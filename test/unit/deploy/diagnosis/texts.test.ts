import { expect, test } from 'vitest'
import { lastWords } from '../../../../src/deploy/diagnosis/text/last-words.ts'
import { pullTrouble } from '../../../../src/deploy/diagnosis/text/pull.ts'
import { startError } from '../../../../src/deploy/diagnosis/text/start-error.ts'

const runc = 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: '
const dockerd =
  'failed to start container "5f2": Error response from daemon: failed to create task for container: failed to create shim task: '

test.each([
  // containerd 1.6 to 2.1 with runc 1.1 to 1.3, Kubernetes 1.29 to 1.34
  [`${runc}unable to start container process: exec: "serve": executable file not found in $PATH`, 'not-found', 'serve'],
  [`${runc}unable to start container process: exec: "serve": executable file not found in $PATH: unknown`, 'not-found', 'serve'],
  [
    `${runc}unable to start container process: exec: "/app/serve": stat /app/serve: no such file or directory`,
    'not-found',
    '/app/serve',
  ],
  [
    `${runc}unable to start container process: error during container init: exec: "/x": stat /x: no such file or directory: unknown`,
    'not-found',
    '/x',
  ],
  [`${runc}unable to start container process: exec: "/etc/passwd": permission denied: unknown`, 'not-executable', '/etc/passwd'],
  [`${runc}unable to start container process: exec: "/etc": is a directory: permission denied`, 'not-executable', '/etc'],
  [`${runc}unable to start container process: exec /app/serve: exec format error`, 'exec-format', '/app/serve'],
  [
    `${runc}unable to start container process: error during container init: mkdir /etc/passwd: not a directory`,
    'working-directory',
    '/etc/passwd',
  ],
  [
    `${runc}container_linux.go:380: starting container process caused: exec: "serve": executable file not found in $PATH: unknown`,
    'not-found',
    'serve',
  ],
  [
    `${runc}unable to start container process: chdir to cwd ("/srv/app") set in config.json failed: permission denied: unknown`,
    'working-directory',
    '/srv/app',
  ],
  // dockerd by cri-dockerd
  [
    `${dockerd}OCI runtime create failed: runc create failed: unable to start container process: exec: "serve": executable file not found in $PATH: unknown`,
    'not-found',
    'serve',
  ],
  // CRI-O with runc, whose log it wraps, and with crun
  [
    'container create failed: time="2026-01-02T03:04:05Z" level=error msg="runc create failed: unable to start container process: exec: \\"serve\\": executable file not found in $PATH"',
    'not-found',
    'serve',
  ],
  ['container create failed: executable file `serve` not found in $PATH: No such file or directory', 'not-found', 'serve'],
  ['container create failed: executable file `serve` not found: No such file or directory', 'not-found', 'serve'],
  ['container create failed: open executable: `/etc/passwd`: Permission denied', 'not-executable', '/etc/passwd'],
  ['container create failed: chdir to `/nowhere`: No such file or directory', 'working-directory', '/nowhere'],
])('%s is %s of %s', (said, reason, about) => {
  const found = startError(said)
  expect(found).toEqual({ reason, [reason === 'working-directory' ? 'directory' : 'command']: about })
})

test.each([
  `${runc}unable to start container process: error mounting "/var/lib/kubelet/pods/1/volumes/x" to rootfs at "/etc/passwd": not a directory`,
  `${runc}unable to start container process: unable to apply cgroup configuration: failed to write 1: no space left on device`,
  'context deadline exceeded',
])('%s says nothing of the program', (said) => {
  expect(startError(said)).toBeUndefined()
})

test('a limit below what the runtime itself takes is told', () => {
  const said = `Failed to create pod sandbox: ${runc}unable to start container process: container init was OOM-killed (memory limit too low?): unknown`
  expect(startError(said)).toEqual({ reason: 'no-memory' })
})

test.each<[number, string, object]>([
  // the runtime inside of the container: runc 1.1 and later, before, and crun
  [1, 'exec /app/serve: exec format error', { reason: 'exec-format', command: '/app/serve' }],
  [255, 'exec /app/serve: exec format error', { reason: 'exec-format', command: '/app/serve' }],
  [1, 'standard_init_linux.go:228: exec user process caused: exec format error', { reason: 'exec-format', command: '' }],
  [
    1,
    'standard_init_linux.go:219: exec user process caused "no such file or directory"',
    { reason: 'interpreter-missing', command: '' },
  ],
  [1, 'exec /app/start.sh: no such file or directory', { reason: 'interpreter-missing', command: '/app/start.sh' }],
  [
    1,
    '{"msg":"exec container process `/app/serve`: Exec format error","level":"error"}',
    { reason: 'exec-format', command: '/app/serve' },
  ],
  [
    1,
    '{"msg":"exec container process (missing dynamic library?) `/app/serve`: No such file or directory","level":"error"}',
    { reason: 'interpreter-missing', command: '/app/serve' },
  ],
  // bash, dash, busybox, env
  [127, 'bash: line 1: migrate: command not found', { reason: 'not-found', command: 'migrate' }],
  [127, '/entrypoint.sh: line 12: migrate: command not found', { reason: 'not-found', command: 'migrate' }],
  [127, 'sh: 1: migrate: not found', { reason: 'not-found', command: 'migrate' }],
  [127, '/entrypoint.sh: 3: exec: /app/serve: not found', { reason: 'not-found', command: '/app/serve' }],
  [127, 'sh: migrate: not found', { reason: 'not-found', command: 'migrate' }],
  [127, '/bin/sh: migrate: not found', { reason: 'not-found', command: 'migrate' }],
  [127, '/usr/bin/env: ‘python3’: No such file or directory', { reason: 'not-found', command: 'python3' }],
  [127, 'bash: line 1: /app/serve: No such file or directory', { reason: 'not-found', command: '/app/serve' }],
  [126, 'bash: line 1: /app/start.sh: Permission denied', { reason: 'not-executable', command: '/app/start.sh' }],
  [
    126,
    'bash: line 1: /app/serve: cannot execute binary file: Exec format error',
    { reason: 'exec-format', command: '/app/serve' },
  ],
  [
    127,
    'bash: line 1: /app/start.sh: cannot execute: required file not found',
    { reason: 'interpreter-missing', command: '/app/start.sh' },
  ],
  [
    126,
    'bash: /app/start.sh: /usr/bin/python9: bad interpreter: No such file or directory',
    { reason: 'interpreter-missing', command: '/app/start.sh' },
  ],
  // libraries: glibc, musl, Python, a C library that is too old
  [
    127,
    './serve: error while loading shared libraries: libpq.so.5: cannot open shared object file: No such file or directory',
    { reason: 'library-missing', library: 'libpq.so.5' },
  ],
  [
    127,
    'Error loading shared library libstdc++.so.6: No such file or directory (needed by /app/serve)',
    { reason: 'library-missing', library: 'libstdc++.so.6' },
  ],
  [
    1,
    'ImportError: libGL.so.1: cannot open shared object file: No such file or directory',
    { reason: 'library-missing', library: 'libGL.so.1' },
  ],
  [
    1,
    "/app/serve: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by /app/serve)",
    { reason: 'library-missing', library: 'GLIBC_2.38' },
  ],
  // read-only
  [1, 'bash: line 1: /var/lib/app.pid: Read-only file system', { reason: 'read-only', path: '/var/lib/app.pid' }],
  [1, "OSError: [Errno 30] Read-only file system: '/app/cache'", { reason: 'read-only', path: '/app/cache' }],
  [1, "Error: EROFS: read-only file system, open '/app/x.log'", { reason: 'read-only', path: '/app/x.log' }],
  [
    1,
    'nginx: [emerg] mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)',
    { reason: 'read-only', path: '/var/cache/nginx/client_temp' },
  ],
  [2, 'panic: open /data/db: read-only file system', { reason: 'read-only', path: '/data/db' }],
  // rights
  [1, "PermissionError: [Errno 13] Permission denied: '/data/db'", { reason: 'forbidden', what: '/data/db' }],
  [1, "Error: EACCES: permission denied, mkdir '/app/.cache'", { reason: 'forbidden', what: '/app/.cache' }],
  [1, '2026/01/02 03:04:05 open /data/db: permission denied', { reason: 'forbidden', what: '/data/db' }],
  [1, "mkdir: cannot create directory '/data': Permission denied", { reason: 'forbidden', what: '/data' }],
  [1, '/entrypoint.sh: line 3: /data/pid: Permission denied', { reason: 'forbidden', what: '/data/pid' }],
  [1, 'java.nio.file.AccessDeniedException: /var/log/app.log', { reason: 'forbidden', what: '/var/log/app.log' }],
  [1, 'nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)', { reason: 'forbidden', what: 'port 80' }],
  [1, 'Error: listen EACCES: permission denied 0.0.0.0:443', { reason: 'forbidden', what: 'port 443' }],
  // addresses
  [1, 'Error: listen EADDRINUSE: address already in use :::8080', { reason: 'address-in-use', port: 8080 }],
  [1, 'listen tcp :8080: bind: address already in use', { reason: 'address-in-use', port: 8080 }],
  [1, 'listen tcp 0.0.0.0:9090: bind: address already in use', { reason: 'address-in-use', port: 9090 }],
  [1, 'nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)', { reason: 'address-in-use', port: 80 }],
  [1, 'OSError: [Errno 98] Address already in use', { reason: 'address-in-use', port: undefined }],
  [1, 'Web server failed to start. Port 8080 was already in use.', { reason: 'address-in-use', port: 8080 }],
])('exit code %i after: %s', (exitCode, line, meant) => {
  expect(lastWords(['starting', line], exitCode)).toEqual(meant)
})

test.each<[string, number, readonly string[]]>([
  ['a right that a database denies', 1, ['ERROR: permission denied for table orders']],
  ['a key that a server denies', 255, ['git@example.com: Permission denied (publickey).']],
  ['a command that was missing before another failed', 1, ['bash: line 1: migrate: command not found', 'no such table']],
  ['a warning', 1, ['[warn] open() "/var/log/nginx/error.log" failed (13: Permission denied)', 'host not found in upstream']],
  [
    'what stands far above the end',
    1,
    ['open /data/db: permission denied', ...Array.from({ length: 8 }, (_, at) => `try ${at}`)],
  ],
  ['nothing at all', 1, []],
])('%s is not what a program died of', (_, exitCode, lines) => {
  expect(lastWords(lines, exitCode)).toBeUndefined()
})

test('the trace below a message does not hide it', () => {
  const lines = [
    'node:events:497',
    'Error: listen EADDRINUSE: address already in use 0.0.0.0:3000',
    ...Array.from({ length: 9 }, (_, at) => `    at Server.setupListenHandle [as _listen2] (node:net:${at})`),
    '  errno: -98,',
    '}',
    '',
    'Node.js v22.1.0',
  ]
  expect(lastWords(lines, 1)).toEqual({ reason: 'address-in-use', port: 3000 })
})

/** As containerd 1.6 to 1.7 (before Kubernetes 1.31 with the code in front) and 2.x say it. */
function containerd(image: string, why: string): readonly string[] {
  return [
    `rpc error: code = NotFound desc = failed to pull and unpack image "${image}": failed to resolve reference "${image}": ${why}`,
    `Back-off pulling image "${image}": ErrImagePull: rpc error: code = Unknown desc = failed to pull and unpack image "${image}": failed to resolve reference "${image}": ${why}`,
    `Back-off pulling image "${image}": ErrImagePull: failed to pull and unpack image "${image}": failed to resolve image: ${why}`,
    `Failed to pull image "${image}": failed to pull and unpack image "${image}": failed to resolve image: ${why}`,
  ]
}

const web = 'registry.example.com/shop/web:1'
const head = 'failed to do request: Head "https://registry.example.com/v2/shop/web/manifests/1": '

test.each<[readonly string[], object]>([
  [containerd(web, `${web}: not found`), { reason: 'not-found', what: 'either' }],
  [
    containerd(
      web,
      'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
    ),
    { reason: 'not-found', what: 'repository' },
  ],
  [
    containerd(
      web,
      'pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials',
    ),
    { reason: 'login' },
  ],
  [
    containerd(
      web,
      'failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://auth.example.com/token: 401 Unauthorized',
    ),
    { reason: 'login' },
  ],
  [
    containerd(web, 'unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 403 Forbidden'),
    { reason: 'login' },
  ],
  [
    containerd(
      web,
      'unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 429 Too Many Requests',
    ),
    { reason: 'busy', why: 'it is asked too often (429)' },
  ],
  [
    containerd(
      web,
      'unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 503 Service Unavailable',
    ),
    { reason: 'busy', why: 'it answers with an error (503)' },
  ],
  [
    containerd(web, `${head}dial tcp: lookup registry.example.com on 10.0.0.1:53: no such host`),
    { reason: 'unreachable', why: 'the name registry.example.com has no address' },
  ],
  [
    containerd(web, `${head}dial tcp: lookup registry.example.com on 10.0.0.1:53: server misbehaving`),
    { reason: 'unreachable', why: 'the node’s DNS does not tell the address of registry.example.com' },
  ],
  [
    containerd(web, `${head}dial tcp 10.0.0.9:443: connect: connection refused`),
    { reason: 'unreachable', why: 'the connection is refused' },
  ],
  [containerd(web, `${head}dial tcp 10.0.0.9:443: i/o timeout`), { reason: 'unreachable', why: 'it does not answer' }],
  [
    containerd(web, `${head}http: server gave HTTP response to HTTPS client`),
    { reason: 'unfit', why: 'it speaks HTTP, and the node expects HTTPS' },
  ],
  [
    containerd(web, `${head}tls: failed to verify certificate: x509: certificate signed by unknown authority`),
    { reason: 'unfit', why: 'the node does not trust its certificate (certificate signed by unknown authority)' },
  ],
  [
    [
      `failed to pull and unpack image "${web}": no match for platform in manifest: not found`,
      `rpc error: code = NotFound desc = failed to pull and unpack image "${web}": no match for platform in manifest: not found`,
    ],
    { reason: 'architecture' },
  ],
  [
    [
      `failed to pull and unpack image "${web}": failed to extract layer (application/vnd.oci.image.layer.v1.tar+gzip sha256:1) to overlayfs as "extract-1": gzip: invalid header`,
    ],
    { reason: 'damaged', why: 'gzip: invalid header' },
  ],
  [
    [`failed to pull and unpack image "${web}": failed to extract layer sha256:1: write /var/lib/x: no space left on device`],
    { reason: 'no-space', why: 'the node has no space left' },
  ],
  // CRI-O
  [
    [
      `reading manifest 1 in registry.example.com/shop/web: manifest unknown`,
      `rpc error: code = Unknown desc = reading manifest 1 in registry.example.com/shop/web: manifest unknown: manifest unknown`,
    ],
    { reason: 'not-found', what: 'tag' },
  ],
  [
    [`reading manifest 1 in registry.example.com/shop/web: name unknown: repository name not known to registry`],
    { reason: 'not-found', what: 'repository' },
  ],
  [
    [
      `initializing source docker://${web}: reading manifest 1 in registry.example.com/shop/web: unauthorized: authentication required`,
    ],
    { reason: 'login' },
  ],
  [
    [
      `initializing source docker://${web}: reading manifest 1 in registry.example.com/shop/web: toomanyrequests: You have reached your pull rate limit.`,
    ],
    { reason: 'busy', why: 'it is asked too often (429)' },
  ],
  [
    [
      `initializing source docker://${web}: pinging container registry registry.example.com: Get "https://registry.example.com/v2/": dial tcp: lookup registry.example.com: no such host`,
    ],
    { reason: 'unreachable', why: 'the name registry.example.com has no address' },
  ],
  [
    [
      `choosing an image from manifest list docker://${web}: no image found in image index for architecture "arm64", variant "v8", OS "linux"`,
    ],
    { reason: 'architecture' },
  ],
])('%j is %j', (texts, meant) => {
  for (const text of texts) expect(pullTrouble(text), text).toEqual(meant)
})

test('words in the name of an image say nothing of its pull', () => {
  const [, text = ''] = containerd(
    'registry.example.com/unauthorized/does-not-exist:429',
    `${head}dial tcp 10.0.0.9:443: connect: connection refused`,
  )
  expect(pullTrouble(text)?.reason).toBe('unreachable')
})
