import { afterAll, beforeAll } from 'vitest'
import { type ApiRig, openApiRig } from '../api-rig.ts'
import { bash, container, deployment, type Fault, job, object, testFaults, testTwins } from './rig.ts'

let rig: ApiRig

beforeAll(async () => {
  rig = await openApiRig()
}, 120_000)
afterAll(() => rig?.[Symbol.asyncDispose]())

/** From the third end on, which comes 12 s after the start; the machine of the tests is loaded. */
const byThreeMs = 60_000
const atOnceMs = 25_000
const place = 'Deployment/web (k8s/all.yaml:1)'
const platform = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`
const eatsMemory = 'x=$(head -c 100000000 /dev/zero | tr "\\0" a); : "$x"'
const small = { resources: { limits: { memory: '16Mi' } } }

/** The first bytes of a program for another processor. */
const foreign = Buffer.concat([
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 22, 0, 1, 0, 0, 0]),
  Buffer.alloc(200),
])

const files = object('v1', 'ConfigMap', 'files', {
  data: { bare: 'echo hi\n', snake: '#!/usr/bin/no-snake\nprint()\n', windows: '#!/bin/bash\r\necho hi\r\n' },
  binaryData: { foreign: foreign.toString('base64') },
})

/** A pod that has the files at /f, executable or as ConfigMaps are by default. */
function withFiles(command: readonly string[], defaultMode = 0o755): readonly [typeof files, ReturnType<typeof deployment>] {
  const web = deployment(container({ command, volumeMounts: [{ name: 'f', mountPath: '/f' }] }), {
    pod: { volumes: [{ name: 'f', configMap: { name: 'files', defaultMode } }] },
  })
  return [files, web]
}

const filesPlace = 'Deployment/web (k8s/all.yaml:2)'

const endings: readonly Fault[] = [
  {
    what: 'a program that ends with 1 at every start',
    objects: [deployment(container(bash('echo no such table; exit 1')))],
    code: 'READY-101',
    says: 'The container main of Deployment/web ends with 1 again and again.',
    hint: 'Read its last lines; mend the program or its configuration.',
    evidence: /no such table/,
    withinMs: byThreeMs,
  },
  {
    what: 'the first end of a program',
    objects: [deployment(container(bash('echo no such table; exit 3')))],
    code: 'READY-101',
    severity: 'warning',
    says: 'The container main of Deployment/web ended with 3.',
    hint: 'Read its last lines; mend the program or its configuration.',
    evidence: /no such table/,
    withinMs: 15_000,
  },
  {
    what: 'a Deployment that does its work and ends',
    objects: [deployment(container(bash('echo done')))],
    code: 'READY-123',
    says: 'The container main of Deployment/web ends with 0 again and again, and is to keep running.',
    hint: `Let its program keep running, or make it a Job if it is to end; it is started by ${place}.`,
    evidence: /done/,
    withinMs: byThreeMs,
  },
  {
    what: 'a server that goes into the background',
    objects: [deployment(container(bash('sleep 300 & echo serving')))],
    code: 'READY-123',
    says: 'The container main of Deployment/web ends with 0 again and again, and is to keep running.',
    hint: `Let its program keep running, or make it a Job if it is to end; it is started by ${place}.`,
    evidence: /serving/,
    withinMs: byThreeMs,
  },
]

const memory: readonly Fault[] = [
  {
    what: 'a program that takes more than its limit',
    objects: [deployment(container({ ...bash(eatsMemory), ...small }))],
    code: 'READY-124',
    says: 'The container main of Deployment/web was killed again and again: it takes more than its memory limit of 16Mi.',
    hint: `Raise \`resources.limits.memory\` in ${place}, or let its program take less.`,
    withinMs: byThreeMs,
  },
  {
    what: 'an init container that takes more than its limit',
    objects: [
      deployment(container(), { pod: { initContainers: [container({ name: 'setup', ...bash(eatsMemory), ...small })] } }),
    ],
    code: 'READY-124',
    says: 'The container setup of Deployment/web was killed again and again: it takes more than its memory limit of 16Mi.',
    hint: `Raise \`resources.limits.memory\` in ${place}, or let its program take less.`,
    withinMs: byThreeMs,
  },
]

const commands: readonly Fault[] = [
  {
    what: 'a command that is in no directory of PATH',
    objects: [deployment(container({ command: ['no-such-program'] }))],
    code: 'READY-120',
    says: 'The container main of Deployment/web cannot start: its image has no program no-such-program.',
    hint: `Correct \`command\` in ${place}, or install the program in its image.`,
    evidence: /executable file not found in \$PATH/,
    withinMs: atOnceMs,
  },
  {
    what: 'a command whose path is not there, in an init container of a Job',
    objects: [job(container(), { pod: { initContainers: [container({ name: 'setup', command: ['/opt/app/setup'] })] } })],
    code: 'READY-120',
    says: 'The container setup of Job/task cannot start: its image has no program /opt/app/setup.',
    hint: 'Correct `command` in Job/task (k8s/all.yaml:1), or install the program in its image.',
    withinMs: atOnceMs,
  },
  {
    what: 'a script that calls what is not there',
    objects: [deployment(container(bash('echo migrating; no-such-migrator up')))],
    code: 'READY-120',
    says: 'The container main of Deployment/web ends with 127: there is no program no-such-migrator in its image.',
    hint: `Correct \`command\` in ${place}, or install the program in its image.`,
    evidence: /migrating/,
    withinMs: byThreeMs,
  },
  {
    what: 'a file without the right to be executed',
    objects: [deployment(container({ command: ['/etc/passwd'] }))],
    code: 'READY-121',
    says: 'The container main of Deployment/web cannot start: /etc/passwd may not be executed.',
    hint: `Make it executable in its image (\`chmod +x\`), or correct \`command\` in ${place}.`,
    withinMs: atOnceMs,
  },
  {
    what: 'a script of a ConfigMap without a mode',
    objects: withFiles(['/f/windows'], 0o644),
    code: 'READY-121',
    says: 'The container main of Deployment/web cannot start: /f/windows may not be executed.',
    hint: `Give the volume f \`defaultMode: 0755\` in ${filesPlace}.`,
    withinMs: atOnceMs,
  },
  {
    what: 'a program for another processor',
    objects: withFiles(['/f/foreign']),
    code: 'READY-122',
    says: 'The container main of Deployment/web cannot start: /f/foreign is nothing that the node can execute (exec format error).',
    hint: `Build its image for the node (${platform}); a script needs \`#!\` and its interpreter as its first line.`,
    withinMs: atOnceMs,
  },
  {
    what: 'a script without its first line',
    objects: withFiles(['/f/bare']),
    code: 'READY-122',
    says: 'The container main of Deployment/web cannot start: /f/bare is nothing that the node can execute (exec format error).',
    hint: `Build its image for the node (${platform}); a script needs \`#!\` and its interpreter as its first line.`,
    withinMs: atOnceMs,
  },
  {
    what: 'a script whose interpreter is not there',
    objects: withFiles(['/f/snake']),
    code: 'READY-132',
    says: 'The container main of Deployment/web cannot start: what /f/snake is to be run by is not in its image.',
    hint: 'Correct the first line of the script, also its line ends (CRLF), or install its interpreter; a binary lacks its loader (musl, glibc).',
    withinMs: atOnceMs,
  },
  {
    what: 'a script with the line ends of Windows',
    objects: withFiles(['/f/windows']),
    code: 'READY-132',
    says: 'The container main of Deployment/web cannot start: what /f/windows is to be run by is not in its image.',
    hint: 'Correct the first line of the script, also its line ends (CRLF), or install its interpreter; a binary lacks its loader (musl, glibc).',
    withinMs: atOnceMs,
  },
  {
    what: 'a working directory that is a file',
    objects: [deployment(container({ workingDir: '/etc/passwd' }))],
    code: 'READY-132',
    says: 'The container main of Deployment/web cannot start: its working directory /etc/passwd is no directory that it may use.',
    hint: `Correct \`workingDir\` in ${place}, or WORKDIR of its image.`,
    withinMs: atOnceMs,
  },
]

const rights: readonly Fault[] = [
  {
    what: 'a root file system that may not be written',
    objects: [
      deployment(
        container({ ...bash('echo 1 > /var/lib/app.pid || exit 4'), securityContext: { readOnlyRootFilesystem: true } }),
      ),
    ],
    code: 'READY-125',
    says: 'The container main of Deployment/web ends with 4: it cannot write /var/lib/app.pid, whose file system is read-only.',
    hint: `Mount an \`emptyDir\` there, or drop \`readOnlyRootFilesystem\` in ${place}.`,
    evidence: /Read-only file system/,
    withinMs: byThreeMs,
  },
  {
    what: 'a config that a program writes over',
    objects: withFiles(['perl', '-e', 'open(my $f, ">", "/f/bare") or die "cannot write \'/f/bare\': $!"']),
    code: 'READY-125',
    says: 'The container main of Deployment/web ends with 30: it cannot write /f/bare, whose file system is read-only.',
    hint: `Let it write elsewhere: /f is a ConfigMap (${filesPlace}).`,
    withinMs: byThreeMs,
  },
  {
    what: 'a directory that only root may write',
    objects: [deployment(container({ ...bash('mkdir /data && exec sleep infinity'), securityContext: { runAsUser: 1000 } }))],
    code: 'READY-126',
    says: 'The container main of Deployment/web ends with 1: user 1000 has no right to /data.',
    hint: `Give it to that user in the Dockerfile (\`chown\`), or change \`runAsUser\` in ${place}.`,
    evidence: /Permission denied/,
    withinMs: byThreeMs,
  },
  {
    what: 'a file that only root may write, by a program that says so in its own words',
    objects: [
      deployment(
        container({ command: ['perl', '-e', 'open(my $f, ">>", "/etc/passwd") or die "cannot open \'/etc/passwd\': $!"'] }),
        {
          pod: { securityContext: { runAsUser: 1234 } },
        },
      ),
    ],
    code: 'READY-126',
    says: 'The container main of Deployment/web ends with 13: user 1234 has no right to /etc/passwd.',
    hint: `Give it to that user in the Dockerfile (\`chown\`), or change \`runAsUser\` in ${place}.`,
    withinMs: byThreeMs,
  },
  {
    what: 'an image that runs as root and may not',
    objects: [deployment(container({ securityContext: { runAsNonRoot: true } }))],
    code: 'READY-128',
    says: 'The container main of Deployment/web cannot start: it has to run as non-root, and its image runs as root.',
    hint: `Set \`runAsUser\` to a number above 0 in ${place}, or \`USER\` in its Dockerfile.`,
    withinMs: atOnceMs,
  },
  {
    what: 'a user 0 that may not be',
    objects: [deployment(container({ securityContext: { runAsUser: 0 } }), { pod: { securityContext: { runAsNonRoot: true } } })],
    code: 'READY-128',
    says: 'The container main of Deployment/web cannot start: it has to run as non-root, and its `runAsUser` is 0.',
    hint: `Set \`runAsUser\` to a number above 0 in ${place}, or \`USER\` in its Dockerfile.`,
    withinMs: atOnceMs,
  },
]

const lacksLibrary = 'cp /bin/ls /tmp/ls; perl -pi -e "s/libselinux.so.1/libnothere.so.1/" /tmp/ls;'
const listens = (port: number): string =>
  `perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "0.0.0.0:${port}", ReuseAddr => 1) or die "listen 0.0.0.0:${port}: $!\\n"; sleep 1000'`

const rest: readonly Fault[] = [
  {
    what: 'a program without one of its libraries',
    objects: [deployment(container(bash(`${lacksLibrary} exec /tmp/ls`)))],
    code: 'READY-127',
    says: 'The container main of Deployment/web ends with 127: the library libnothere.so.1 is not in its image.',
    hint: 'Install the package that has it in the last stage of its Dockerfile; build on the same system as it runs on.',
    withinMs: byThreeMs,
  },
  {
    what: 'a script that goes on after a program without its library',
    objects: [deployment(container(bash(`${lacksLibrary} /tmp/ls || exit 9`)))],
    code: 'READY-127',
    says: 'The container main of Deployment/web ends with 9: the library libnothere.so.1 is not in its image.',
    hint: 'Install the package that has it in the last stage of its Dockerfile; build on the same system as it runs on.',
    withinMs: byThreeMs,
  },
  {
    what: 'a program that crashes',
    objects: [deployment(container(bash('echo loading; (kill -SEGV $BASHPID); exit $?')))],
    code: 'READY-129',
    says: 'The container main of Deployment/web is killed by SIGSEGV again and again (exit code 139).',
    hint: 'Read its last lines: the program or a library crashes; a library for another C library or processor does so at once.',
    evidence: /loading/,
    withinMs: byThreeMs,
  },
  {
    what: 'a program that gives itself up',
    objects: [deployment(container(bash('(kill -ABRT $BASHPID); exit $?')))],
    code: 'READY-129',
    says: 'The container main of Deployment/web is killed by SIGABRT again and again (exit code 134).',
    hint: 'Read its last lines: the program or a library crashes; a library for another C library or processor does so at once.',
    withinMs: byThreeMs,
  },
  {
    what: 'two containers of a pod on one port',
    objects: [
      deployment(container(bash(listens(8080))), {
        pod: {
          initContainers: [
            container({
              name: 'proxy',
              restartPolicy: 'Always',
              ...bash(`exec ${listens(8080)}`),
              ports: [{ containerPort: 8080 }],
              startupProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 60 },
            }),
          ],
        },
      }),
    ],
    code: 'READY-130',
    says: 'The container main of Deployment/web ends with 98: port 8080 is in use in its pod.',
    hint: `Let main or proxy listen on another port: the containers of a pod share them (${place}).`,
    evidence: /Address already in use/,
    withinMs: byThreeMs,
  },
  {
    what: 'a port of the node',
    objects: [deployment(container(bash(listens(10250))), { pod: { hostNetwork: true } })],
    code: 'READY-130',
    says: 'The container main of Deployment/web ends with 98: port 10250 is in use on the node, whose network it uses.',
    hint: 'Let it listen on another port, or drop `hostNetwork`.',
    withinMs: byThreeMs,
  },
  {
    what: 'a postStart command that fails',
    objects: [
      deployment(
        container({ lifecycle: { postStart: { exec: { command: ['bash', '-c', 'echo no migrations >&2; exit 3'] } } } }),
      ),
    ],
    code: 'READY-131',
    says: 'The postStart hook of the container main of Deployment/web fails, so the container is killed.',
    hint: `Correct \`lifecycle.postStart\` in ${place}, or do it before the program in \`command\`.`,
    withinMs: byThreeMs,
  },
  {
    what: 'a postStart request that nobody answers',
    objects: [deployment(container({ lifecycle: { postStart: { httpGet: { port: 8080, path: '/warm' } } } }))],
    code: 'READY-131',
    says: 'The postStart hook of the container main of Deployment/web fails, so the container is killed.',
    hint: `Correct \`lifecycle.postStart\` in ${place}, or do it before the program in \`command\`.`,
    withinMs: byThreeMs,
  },
]

/** What the kubelet or the runtime does not make, for reasons that have no code of their own. */
const others: readonly Fault[] = [
  {
    what: 'a seccomp profile that the node has not',
    objects: [
      deployment(container({ securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'none.json' } } })),
    ],
    code: 'READY-106',
    says: /^The container main of Deployment\/web cannot be created: failed to create containerd container: cannot load seccomp profile ".*none\.json"/,
    hint: 'Correct Deployment/web (k8s/all.yaml:1).',
    withinMs: 10_000,
  },
  {
    what: 'a path of a volume with a variable that is not set',
    objects: [
      deployment(container({ volumeMounts: [{ name: 'keep', mountPath: '/keep', subPathExpr: '$(NOPE)' }] }), {
        pod: { volumes: [{ name: 'keep', emptyDir: {} }] },
      }),
    ],
    code: 'READY-106',
    says: 'The container main of Deployment/web cannot be created: missing value for NOPE.',
    hint: 'Correct Deployment/web (k8s/all.yaml:1).',
    withinMs: 25_000,
  },
]

testFaults(() => rig, [...others, ...endings, ...memory, ...commands, ...rights, ...rest])

/** Fails as `harm` says at its first two starts. */
function mended(harm: string, over: object = {}): ReturnType<typeof deployment> {
  return deployment(
    container({
      ...bash(`read -r n < /keep/n; echo $((n + 1)) > /keep/n; ((n >= 2)) || { ${harm}; }; exec sleep infinity`),
      volumeMounts: [{ name: 'keep', mountPath: '/keep' }],
      ...over,
    }),
    { pod: { volumes: [{ name: 'keep', emptyDir: {} }] } },
  )
}

testTwins(
  () => rig,
  [
    { what: 'a program that ends twice before it stays', objects: [mended('exit 1')], warns: ['READY-101'] },
    { what: 'a program that ends with 0 twice before it stays', objects: [mended('exit 0')], warns: ['READY-123'] },
    {
      what: 'a program that is killed twice before it stays',
      objects: [mended('kill -SEGV $BASHPID & wait $!; exit $?')],
      warns: ['READY-129'],
    },
    {
      what: 'a port that is free at the third start',
      objects: [mended('echo "listen tcp :8080: bind: address already in use"; exit 1')],
      warns: ['READY-130'],
    },
    {
      what: 'a script that finds its program at the third start',
      objects: [mended('no-such-program; exit $?')],
      warns: ['READY-120'],
    },
    {
      what: 'a program that takes too much twice',
      objects: [mended(`${eatsMemory}; exit 137`, { resources: { limits: { memory: '32Mi' } } })],
      warns: ['READY-124', 'READY-129'],
    },
    {
      what: 'a postStart that fails before it works',
      objects: [
        deployment(
          container({
            volumeMounts: [{ name: 'keep', mountPath: '/keep' }],
            lifecycle: { postStart: { exec: { command: ['bash', '-c', 'test -e /keep/n || { touch /keep/n; exit 1; }'] } } },
          }),
          { pod: { volumes: [{ name: 'keep', emptyDir: {} }] } },
        ),
      ],
      warns: ['READY-131'],
    },
    { what: 'a Job that ends with 0', objects: [job(container(bash('echo done')))] },
    {
      what: 'init containers that end, and a sidecar that does not',
      objects: [
        deployment(container(), {
          pod: {
            initContainers: [
              container({ name: 'setup', ...bash('echo done') }),
              container({ name: 'proxy', restartPolicy: 'Always' }),
            ],
          },
        }),
      ],
    },
    {
      what: 'a program that complains and stays',
      objects: [
        deployment(
          container({
            ...bash('echo 1 > /var/lib/app.pid; mkdir /data; no-such-program; exec sleep infinity'),
            securityContext: { readOnlyRootFilesystem: true, runAsUser: 1000, runAsNonRoot: true },
          }),
        ),
      ],
    },
  ],
)
