import type { PagesOf } from './page.ts'

/** Images that are built here. */
export const buildPages: PagesOf<'BUILD'> = {
  'BUILD-101': {
    means: 'A service has a `build`, and its context has no such Dockerfile.',
    looks: `✗ BUILD-101 There is no Dockerfile in web, the build context of web.
  → Write it, or name another as services.web.build.dockerfile.`,
    causes: [
      'It has another name or stands in another directory.',
      '`build.context` names the wrong directory.',
      'It is not on this branch.',
    ],
    remedies: ['Name it as `build.dockerfile`, relative to the context.', 'Correct `build.context`.'],
  },
  'BUILD-102': {
    means:
      'The build of an image failed. The message has the cause and the line of the Dockerfile, the lines below what the step wrote, and the command.',
    looks: `✗ BUILD-102 The image of web does not build: process "/bin/sh -c npm ci" did not complete successfully: exit code: 1 (Dockerfile:7).
  → Mend the step that the lines below show; the build goes on from the last good one.`,
    causes: [
      'A step of the Dockerfile fails: code that does not compile, packages that can’t be had.',
      'A file to COPY is not in the context, or .dockerignore leaves it out.',
      'A base image can’t be pulled: name, login, network.',
      'buildx builds with another engine than the one that devkit uses.',
    ],
    remedies: [
      'Mend the step; what was built before it is not built again.',
      'Run the command of the last line yourself.',
      'Check the builder if the engine does not have the image afterwards: `docker buildx ls`.',
    ],
  },
  'BUILD-103': {
    means: 'The directory that `build.context` of a service names is not there.',
    looks: `✗ BUILD-103 The build context wbe of web does not exist.
  → Correct services.web.build.context in the config.`,
    causes: [
      'It is misspelt; it is relative to the config file.',
      'It is not on this branch, or a submodule that is not checked out.',
    ],
    remedies: ['Correct `build.context`.', 'Check the submodule out: `git submodule update --init`.'],
  },
  'BUILD-104': {
    means: 'Images are built with buildx, Docker’s plug-in for builds, and it is not there or too old.',
    looks: `✗ BUILD-104 The buildx program is missing.
  → Install Docker’s buildx plug-in, or name its path as tools.buildx in the machine settings file.`,
    causes: ['The docker program was installed without its plug-ins.', 'The docker program itself is missing.'],
    remedies: [
      'Install the plug-in; `docker buildx version` tells whether it is found.',
      'Name its path as `tools.buildx` in the machine’s settings.',
    ],
  },
}
