import type { ProblemCode } from '../lib/errors.ts'
import type { Page } from './page.ts'

/** What keeps a program from starting, or from keeping on. */
export const readyStartPages = {
  'READY-101': {
    means:
      'A container starts, ends, and is started again by the kubelet, each time after a longer pause (CrashLoopBackOff). It is a warning at first, and a failure after three ends in the same way while all that it needs is ready (after five, while other workloads are still on their way). Ends of which more is known have codes of their own.',
    looks: `✗ READY-101 The container web of Deployment/web ends with 1 again and again.
    Error: connect ECONNREFUSED 10.96.12.7:5432
  → Read its last lines; mend the program or its configuration.`,
    causes: [
      'The program fails at its start: a variable that is not set, a wrong address, a file that is not there. Its last lines say which.',
      'What it needs answers too late or not at all, and it ends instead of trying again.',
      'It reads a configuration that does not fit its version.',
    ],
    remedies: [
      'Read the last lines below the message; `kubectl logs POD -c CONTAINER --previous` has all of them.',
      'Correct the variable, ConfigMap or Secret that they name. `devkit diff production dev` shows what the profile changes of it.',
      'Name what it waits for in `dependsOn` of its service: devkit then starts it afterwards.',
    ],
  },
  'READY-120': {
    means:
      'A container can’t start since its command is not in its image, or its script ends with 127, which shells say of a program that they do not find.',
    looks: `✗ READY-120 The container web of Deployment/web cannot start: its image has no program gunicorn.
  → Correct \`command\` in Deployment/web (k8s/web.yaml:16), or install the program in its image.`,
    causes: [
      'The command is misspelt, or is one string with blanks where a list is wanted: `command: ["npm start"]`.',
      'The image changed and has the program elsewhere, or not in its last stage.',
      'It is a command of a shell (`cd`, `source`, `&&`) without a shell.',
      'A volume is mounted over the directory that has it.',
    ],
    remedies: [
      'Look into the image: `docker run --rm -it --entrypoint sh IMAGE`.',
      'Write the command as a list, each argument for itself; a line for a shell as `["sh", "-c", "…"]`.',
    ],
  },
  'READY-121': {
    means: 'What a container is to start is there, but it may not be executed.',
    looks: `✗ READY-121 The container web of Deployment/web cannot start: /app/start.sh may not be executed.
  → Make it executable in its image (\`chmod +x\`), or correct \`command\` in Deployment/web (k8s/web.yaml:16).`,
    causes: [
      'The file has no right to be executed; on Windows and on some shared folders that right is lost.',
      'It comes out of a ConfigMap, whose files are not executable.',
      'It is a directory.',
      'Only root may execute it, and the container runs as somebody else.',
    ],
    remedies: [
      'Set the right where it is kept: `git update-index --chmod=+x FILE`, or `COPY --chmod=755` in the Dockerfile.',
      'Set `defaultMode: 0755` for a volume of a ConfigMap.',
      'Start it by its interpreter: `command: ["sh", "/app/start.sh"]`.',
    ],
  },
  'READY-122': {
    means:
      'The kernel of the node can’t execute the program (exec format error): it is built for another processor, or is no program.',
    looks: `✗ READY-122 The container web of Deployment/web cannot start: /app/server is nothing that the node can execute (exec format error).
  → Build its image for the node (linux/arm64); a script needs \`#!\` and its interpreter as its first line.`,
    causes: [
      'The image, or a binary that was copied into it, is built for another processor (amd64 on an arm64 laptop).',
      'It is a script without `#!/bin/sh` as its first line, or with an empty line before it.',
      'The file is empty or cut off.',
    ],
    remedies: [
      'Build for the node: `docker buildx build --platform linux/arm64`, `GOARCH`, `--target`.',
      'Give the script its first line.',
    ],
  },
  'READY-123': {
    means:
      'A container of a workload that is to keep running ends with 0, as a program does that has done its work. It is a warning at first and a failure after three ends.',
    looks: `✗ READY-123 The container web of Deployment/web ends with 0 again and again, and is to keep running.
  → Let its program keep running, or make it a Job if it is to end; it is started by Deployment/web (k8s/web.yaml:16).`,
    causes: [
      'It is a task, such as a migration, and belongs into a Job or an init container.',
      'The program goes into the background (daemon), and its container ends with the program in front.',
      'It is a shell or REPL that finds no terminal and ends.',
      'It stops since it has nothing to do: no work, a switch that is off.',
    ],
    remedies: [
      'Make it a Job if it is to end.',
      'Start it in the foreground: `nginx -g "daemon off;"`, `--no-daemon`.',
      'End a script with `exec PROGRAM`.',
    ],
  },
  'READY-124': {
    means:
      'The kernel killed a program of the container since it took more memory than its limit (OOMKilled), or the limit is so small that nothing can start. It is a warning at first and a failure after three ends.',
    looks: `✗ READY-124 The container web of Deployment/web was killed again and again: it takes more than its memory limit of 64Mi.
  → Raise \`resources.limits.memory\` in Deployment/web (k8s/web.yaml:22), or let its program take less.`,
    causes: [
      'The limit is too low for its start: a JVM, a bundler, a model that is loaded.',
      'The program sizes itself by the machine: its heap, a worker per processor.',
      'A profile or LimitRange set a lower limit than production has.',
      'It leaks.',
    ],
    remedies: [
      'Raise `resources.limits.memory`; `devkit diff production dev` shows what the profile made of it.',
      'Tell the program its limit: `-XX:MaxRAMPercentage`, `--max-old-space-size`, `GOMEMLIMIT`, fewer workers.',
    ],
  },
  'READY-125': {
    means:
      'A program ends, and its last lines say that it could not write since the file system is read-only. It is a warning at first and a failure after three ends.',
    looks: `✗ READY-125 The container web of Deployment/web ends with 1: it cannot write /var/run/app.pid, whose file system is read-only.
  → Mount an \`emptyDir\` there, or drop \`readOnlyRootFilesystem\` in Deployment/web (k8s/web.yaml:24).`,
    causes: [
      '`readOnlyRootFilesystem: true`, and the program writes a pid file, a cache or a temporary file.',
      'It writes into a ConfigMap or Secret, which are always read-only: an entrypoint that fills in its own configuration.',
      'The volume is mounted with `readOnly`.',
    ],
    remedies: [
      'Mount an `emptyDir` at the directory that it writes to.',
      'Copy a configuration to an `emptyDir` in an init container before it is changed.',
    ],
  },
  'READY-126': {
    means:
      'A program ends, and its last lines say that it was denied a file or a port. It is a warning at first and a failure after three ends.',
    looks: `✗ READY-126 The container web of Deployment/web ends with 1: user 1000 has no right to /data/db.
  → Set \`fsGroup\` for the volume data in Deployment/web (k8s/web.yaml:24), or change \`runAsUser\`.`,
    causes: [
      'It runs as another user than its image was made for (`runAsUser`, a policy of the cluster).',
      'A volume belongs to root.',
      'The Dockerfile copies files as root and then changes the user.',
      'It listens on a port below 1024.',
    ],
    remedies: [
      'Set `fsGroup` in the pod’s `securityContext` for volumes.',
      'Use `COPY --chown=` or `chown` in the Dockerfile.',
      'Let it listen on a port above 1023.',
    ],
  },
  'READY-127': {
    means:
      'A program ends since a shared library that it is linked with is not in its image. It is a warning at first and a failure after three ends.',
    looks: `✗ READY-127 The container web of Deployment/web ends with 127: the library libpq.so.5 is not in its image.
  → Install the package that has it in the last stage of its Dockerfile; build on the same system as it runs on.`,
    causes: [
      'The last stage of the Dockerfile lacks the package that the stage that builds has.',
      'It was built on another distribution or a newer C library than it runs on (`GLIBC_… not found`, musl and glibc).',
      'A binary from this machine was synced into the container.',
    ],
    remedies: [
      'Find the package: `apt-file search LIBRARY`, `apk search -x so:LIBRARY`.',
      'Build and run on the same base image, or link statically.',
    ],
  },
  'READY-128': {
    means:
      'The manifest demands that the container runs as non-root, and it would run as root or as a user that nobody can check. It is called at once.',
    looks: `✗ READY-128 The container web of Deployment/web cannot start: it has to run as non-root, and its image runs as root.
  → Set \`runAsUser\` to a number above 0 in Deployment/web (k8s/web.yaml:24), or \`USER\` in its Dockerfile.`,
    causes: [
      'The Dockerfile has no `USER`, and the manifest has `runAsNonRoot: true`.',
      '`USER` is a name: only a number can be checked.',
      '`runAsUser` is 0.',
      'The image that devkit builds ends in another stage than production’s.',
    ],
    remedies: ['Write `USER 1000` in the Dockerfile.', 'Set `runAsUser: 1000` beside `runAsNonRoot`.'],
  },
  'READY-129': {
    means:
      'A program was killed by a signal, and not for its memory: it crashed, or somebody killed it. It is a warning at first and a failure after three ends.',
    looks: `✗ READY-129 The container web of Deployment/web is killed by SIGSEGV again and again (exit code 139).
  → Read its last lines: the program or a library crashes; a library for another C library or processor does so at once.`,
    causes: [
      'A native module was built for another C library or version (139, SIGSEGV).',
      'The program gives up by itself (134, SIGABRT): a failed assertion, an exception that nobody caught.',
      'It uses instructions that the processor lacks (132, SIGILL), often under emulation.',
      'Its own script or supervisor, or a node without memory, kills it (137, 143).',
    ],
    remedies: [
      'Build native modules in the image, not on this machine; ignore `node_modules` in the build and in syncs.',
      'Run the image of the node’s own processor.',
    ],
  },
  'READY-130': {
    means:
      'A program ends since the port that it listens on is in use. It is a warning at first, for the last instance may still hold it, and a failure after three ends.',
    looks: `✗ READY-130 The container web of Deployment/web ends with 1: port 8080 is in use in its pod.
  → Let it listen on another port, or start its program only once.`,
    causes: [
      'Two containers of the pod listen on the same port: they share one network.',
      'Its script starts the program twice.',
      'It uses the node’s network (`hostNetwork`), and something there has the port.',
    ],
    remedies: ['Give one of them another port, and its Service the new `targetPort`.', 'Drop `hostNetwork` on a laptop.'],
  },
  'READY-131': {
    means:
      'The `postStart` hook of a container failed, so the kubelet killed the container. It is a warning at first and a failure after three ends.',
    looks: `✗ READY-131 The postStart hook of the container web of Deployment/web fails, so the container is killed.
  → Correct \`lifecycle.postStart\` in Deployment/web (k8s/web.yaml:30), or do it before the program in \`command\`.`,
    causes: [
      'The hook runs beside the program, often before it listens: it has to wait for it.',
      'Its command is not in the image or ends with another code than 0.',
      'Its request goes to a port or path that nobody serves.',
    ],
    remedies: [
      'Let the hook try again until the program answers.',
      'Do the work in an init container, or in `command` before the program.',
    ],
  },
  'READY-132': {
    means:
      'What a program needs to be started at all is not in its image: the interpreter of a script, the loader of a binary, its working directory.',
    looks: `✗ READY-132 The container web of Deployment/web cannot start: what /app/start.sh is to be run by is not in its image.
  → Correct the first line of the script, also its line ends (CRLF), or install its interpreter; a binary lacks its loader (musl, glibc).`,
    causes: [
      'The script has the line ends of Windows: the kernel looks for `/bin/sh\\r`.',
      'Its first line names an interpreter that the image lacks: `/bin/bash` on Alpine, `/usr/bin/python`.',
      'A binary is linked for glibc and runs on musl (Alpine), or the other way round.',
      '`workingDir` is a file, or a directory that its user may not use.',
    ],
    remedies: [
      'Write `*.sh text eol=lf` into `.gitattributes`, then check the file out anew.',
      'Use `#!/bin/sh`, or install the interpreter.',
      'Build on the same base image as it runs on.',
    ],
  },
} satisfies Partial<Record<ProblemCode, Page>>
