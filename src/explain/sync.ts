import type { PagesOf } from './page.ts'

/** Saves on their way into containers. */
export const syncPages: PagesOf<'SYNC'> = {
  'SYNC-101': {
    means:
      'A warning: the stream by which files go into a node or container ended. devkit opens it again by itself, sends what was missed, and tells when it is mended.',
    looks: `! SYNC-101 The stream into the node shop-control-plane ended.
  → devkit opens it again when the node is back.`,
    causes: [
      'The node or the engine was stopped or restarted.',
      'The container ended: a crash, a rollout, a scale-down.',
      'The connection to the cluster was cut: a VPN, a laptop that slept.',
    ],
    remedies: [
      'Wait: nothing is lost, and `problem.resolved` is told.',
      'Look at the engine and the node if it does not come back: `docker ps -a`.',
    ],
  },
  'SYNC-102': {
    means:
      'A container does not take a file, for a reason that the message names. devkit tries again, each time after a longer pause.',
    looks: `✗ SYNC-102 /app/src/static could not be synced to the container web of web-5d8f7c9b4-x2x7q: /app/src/static is a directory with files of its own.
  → Remove what is in the way in the container; devkit tries again.`,
    causes: [
      'Something else stands at the path in the container: a directory where a file goes, or the other way round, or a mount.',
      'A symlink in the container leads out of the rule’s target.',
      'The file is being written all the time, or this user may not read it.',
    ],
    remedies: [
      'Remove what is in the way in the container.',
      'Leave the path out: `sync[].ignore`.',
      'Let the rule end at another `to`.',
    ],
  },
  'SYNC-103': {
    means:
      'A warning: the kernel allows no more file watches. Directories that are not covered are looked at every second or less often; their saves arrive later, none is lost.',
    looks: `! SYNC-103 This machine allows no more file watches: directories that are not covered are looked at every second or less often.
  → Raise the limit: sudo sysctl fs.inotify.max_user_watches=524288`,
    causes: [
      'The project has very many directories, such as node_modules, that nothing ignores.',
      'Editors and other tools use up the limit of the user.',
      'The machine’s limit is low.',
    ],
    remedies: [
      'Raise the limit as the hint says; a file below /etc/sysctl.d keeps it.',
      'Leave out what is not synced: `ignore` of the config.',
    ],
  },
  'SYNC-104': {
    means: 'A file can’t be written in a container, since its file system is full. devkit tries again.',
    looks: `✗ SYNC-104 /app/src/model.bin could not be synced to the container web of web-5d8f7c9b4-x2x7q: no space left on device.
  → Make room in the container or raise the limit of its volume; devkit tries again.`,
    causes: [
      'A volume that is mounted there is full: an emptyDir with `sizeLimit`, a small claim.',
      'The disk of the engine is full.',
    ],
    remedies: [
      'Remove what is not needed in the container, or raise the size of the volume.',
      'Make room for the engine: `docker system df`, then `docker system prune`.',
      'Leave large files out: `sync[].ignore`.',
    ],
  },
  'SYNC-105': {
    means: 'A rule leads to a file system of the container that nobody can write. devkit tries again.',
    looks: `✗ SYNC-105 /etc/app/settings.yaml could not be synced to the container web of web-5d8f7c9b4-x2x7q: read-only file system.
  → Sync to a path that can be written, or mount a volume there in the dev profile; devkit tries again.`,
    causes: [
      'A ConfigMap, Secret or read-only volume is mounted there.',
      '`readOnlyRootFilesystem` in a cluster whose nodes can’t be entered, with `writable: false` in the profile.',
    ],
    remedies: [
      'Let the rule end at a path that can be written.',
      'Change the ConfigMap itself: what reads it gets new pods.',
      'Let the profile mount a writable copy: leave `writable` as it is in `dev`.',
    ],
  },
  'SYNC-106': {
    means: 'The user that files are written as in a container may not write there. devkit tries again.',
    looks: `✗ SYNC-106 /app/src/main.py could not be synced to the container web of web-5d8f7c9b4-x2x7q: permission denied.
  → Let the container’s user write there; devkit tries again.`,
    causes: [
      'The image copied its files as root, and its program runs as another user.',
      '`runAsUser` or `runAsNonRoot` of the manifest gives it another user than the image’s.',
      'A volume belongs to another user or group.',
    ],
    remedies: [
      'Give the files to that user in the Dockerfile: `COPY --chown=app:app`.',
      'Set `fsGroup` for a volume.',
      'Use a cluster that devkit makes: there files are written by the node.',
    ],
  },
  'SYNC-107': {
    means:
      'A save asks for a restart of the program in place, and that can’t be done in this container: the image is built and rolled out in its place, where it has a build. It is told too when a program did not begin anew within 15 seconds.',
    looks: `! SYNC-107 The program of web cannot be restarted in place: its image has no mkfifo.
  → Its image is built and rolled out instead. Set services.web.sync[].restart to 'none' when it needs no restart.`,
    causes: [
      'The profile does not supervise programs.',
      'The image has no shell or no mkfifo, and its node’s can’t be used.',
      'The image is not built here, so what it runs is not known.',
      'The program does not end when it is told to.',
    ],
    remedies: [
      'Say what a save needs: `sync[].restart`, such as `none` for a program that reloads by itself or a signal.',
      'Use an image with a shell for development.',
      'Use the profile `dev`, or set `supervise` in your own.',
    ],
  },
  'SYNC-108': {
    means:
      'A warning, once per file: the file is a mount of its own in the container, so that it can’t be replaced at once. It is written over in place.',
    looks: `! SYNC-108 /app/settings.json is a mount in the container web of web-5d8f7c9b4-x2x7q: it is written over in place.
  → A program that reads it at that moment may see half of it: mount the directory, not the file, where that matters.`,
    causes: ['A single file is mounted there: `subPath`, or a hostPath of a file.'],
    remedies: ['Mount the directory in place of the file.', 'Leave it, if the program reads it only at its start.'],
  },
  'SYNC-109': {
    means:
      'A warning, once per directory: a directory was removed here, and stays in the container, since it holds files that devkit did not bring.',
    looks: `! SYNC-109 /app/src/uploads stays in the container web of web-5d8f7c9b4-x2x7q: it holds files that were not synced.
  → Remove it in the container if it is not needed.`,
    causes: [
      'The program writes there: caches, uploads, compiled files.',
      'The image has files there that are ignored here.',
      'A volume is mounted in it.',
    ],
    remedies: ['Leave it, if nothing looks at it.', 'Remove it in the container, or let a rebuild make a new one.'],
  },
  'SYNC-110': {
    means:
      'In a cluster whose nodes can’t be entered, files go through a shell of the container, and its image does not have what that takes.',
    looks: `✗ SYNC-110 Files cannot be sent into web-5d8f7c9b4-x2x7q/web: its image has not what that takes (exec: "sh": executable file not found in $PATH).
  → Use a cluster whose nodes devkit can enter (\`cluster: { kind: {} }\`), or an image with sh, dd, mv and find for development.`,
    causes: ['The image is distroless or made from scratch.', 'The image has a shell, but not all of dd, mv and find.'],
    remedies: [
      'Use a cluster that devkit makes: `cluster: { kind: {} }`.',
      'Build from another base image for development: a `target` of the Dockerfile that has a shell.',
    ],
  },
  'SYNC-111': {
    means: 'In a cluster whose nodes can’t be entered, files go through a command in the container, and this user may run none.',
    looks: `✗ SYNC-111 The cluster does not allow a command in web-5d8f7c9b4-x2x7q/web: pods "web-5d8f7c9b4-x2x7q" is forbidden.
  → Ask for the verbs get and create on pods/exec in the namespace shop-default.`,
    causes: [
      'The user’s Role lacks pods/exec.',
      'A policy or admission webhook forbids commands in containers.',
      'The login has run out.',
    ],
    remedies: [
      'Ask who runs the cluster for `get` and `create` on pods/exec in the namespace.',
      'Log in to the cluster anew.',
      'Use a cluster that devkit makes: `cluster: { kind: {} }`.',
    ],
  },
  'SYNC-112': {
    means: 'A command of `sync[].run` ran in the container after files were synced, and failed. Its output stands below.',
    looks: `✗ SYNC-112 \`npm run build\` in web (web-5d8f7c9b4-x2x7q) ended with 2.
    src/app.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.
  → Mend what the lines below say; the next sync of its paths runs it again.`,
    causes: [
      'The files that were saved have a mistake that the command finds.',
      'The command is not in the image, or needs packages that the image does not have.',
      'It may not write where it wants to.',
      'The container ended while it ran.',
    ],
    remedies: [
      'Mend what its lines say and save.',
      'Run it by hand: `kubectl exec POD -- COMMAND`.',
      'Correct `sync[].run` in the config.',
    ],
  },
  'SYNC-113': {
    means: 'A directory of the project that devkit has to know (for a build or a sync) can’t be read by this user.',
    looks: `✗ SYNC-113 The directory /home/me/shop/data cannot be read (EACCES).
  → Allow this user to read it, or leave it out by an \`ignore\` of the config or in .dockerignore.`,
    causes: ['A container wrote it as root through a bind mount: data of a database, caches.', 'It belongs to another user.'],
    remedies: [
      'Leave it out: `ignore` of the config, or .dockerignore.',
      'Give it to yourself: `sudo chown -R $USER DIRECTORY`.',
    ],
  },
  'SYNC-114': {
    means:
      'A warning: `from` of a sync rule names something that is not there, so that nothing is synced by it. It is told as resolved when it appears.',
    looks: `! SYNC-114 Nothing is synced for web from what does not exist: web/scr (services.web.sync[0].from).
  → Make it, or correct the path in the config; it is relative to the config file.`,
    causes: [
      'The path is misspelt; it is relative to the config file.',
      'It is made by a build that has not run, or is not on this branch.',
    ],
    remedies: ['Correct `sync[].from`.', 'Make it: devkit then syncs it.'],
  },
  'SYNC-115': {
    means:
      'A warning: the project is on a file system that does not tell of changes made elsewhere. It is looked at every second or less often, so those saves arrive later.',
    looks: `! SYNC-115 /mnt/c/shop is on 9p, which does not tell of every change: it is looked at every second or less often.
  → Move the project to a file system of this machine (in WSL2: below the home directory of Linux), and saves arrive at once.`,
    causes: [
      'The project is on a drive of Windows in WSL2.',
      'It is on a network file system (NFS, SMB) or a share of a virtual machine (virtiofs, FUSE).',
    ],
    remedies: ['Move the project to a file system of this machine.', 'Leave it: saves arrive a second later.'],
  },
}
