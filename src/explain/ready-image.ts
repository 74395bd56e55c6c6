import type { ProblemCode } from '../lib/errors.ts'
import type { Page } from './page.ts'

/** What keeps an image from getting onto its node. */
export const readyImagePages = {
  'READY-104': {
    means:
      'The registry answered that it does not have the image. A later try can’t do better, so it is called at once. Which of name and tag is wrong is said where the registry tells.',
    looks: `✗ READY-104 The image registry.example.com/shop/web:1.2 of Deployment/web cannot be found: the registry registry.example.com has no such name or no such tag.
  → Correct it in Deployment/web (k8s/web.yaml:14), or give its service a \`build\`.`,
    causes: [
      'The tag was never pushed, or is written in another way.',
      'It is an image of this repository that nobody builds: its service has no `build`.',
      'The name is wrong. Docker Hub says of a private repository that it does not exist.',
    ],
    remedies: [
      'Compare the image in the message with what the registry has.',
      'Give its service a `build` in the config if its source is here: devkit then builds and delivers it.',
      'Run another image in its place with the word `images` of the profile.',
    ],
  },
  'READY-110': {
    means: 'The name of an image does not follow the rules of names, so that nobody is asked for it.',
    looks: `✗ READY-110 The image Shop/Web:1 of Deployment/web is no name of an image: repository name must be lowercase.
  → Correct it in Deployment/web (k8s/web.yaml:14): a name is HOST/NAME:TAG, with NAME in lower case.`,
    causes: [
      'A letter of the name is upper case.',
      'It begins with `https://`.',
      'A variable in a template was not replaced or is empty, so that a tag or name is missing or stands there twice.',
      'A digest is cut off: `@sha256:` takes 64 digits.',
    ],
    remedies: [
      'Correct the name where the message says it stands.',
      'Look at `devkit render`: it shows the name that a template made.',
    ],
  },
  'READY-111': {
    means:
      'The node can’t reach the registry of an image. That may pass, so it is a warning for 20 seconds after the first try; what answers but can’t be trusted or understood is called at once.',
    looks: `! READY-111 The image registry.example.com/shop/web:1.2 of Deployment/web cannot be pulled: the registry registry.example.com cannot be reached, the connection is refused.
  → Correct the registry in Deployment/web (k8s/web.yaml:14), or name one that the node reaches in its place (\`mirrors\` of the machine’s settings).`,
    causes: [
      'The machine is offline or in another network: no VPN, a proxy that only the shell knows.',
      'The host in the name is wrong, or its port is missing.',
      'The registry is one of this machine: inside a node `localhost` is the node.',
      'The registry speaks HTTP or has a certificate of its own, and the node was not told.',
    ],
    remedies: [
      'Try it from the node: `docker exec NODE curl -I https://HOST/v2/`.',
      'Give the machine a mirror in its settings (`mirrors`).',
      'Give its service a `build` if its source is here.',
    ],
  },
  'READY-112': {
    means: 'The registry answered that it gives the image only after a login, and the pod has none that it takes.',
    looks: `✗ READY-112 The image registry.example.com/shop/web:1.2 of Deployment/web cannot be pulled: the registry registry.example.com wants a login.
  → Name a Secret with the login in \`imagePullSecrets\` of Deployment/web (k8s/web.yaml:3).`,
    causes: [
      'The pod names no pull secret; in production its ServiceAccount or the node may bring it.',
      'The login in the pull secret is wrong, has expired, or is for another host.',
      'The login may not read this repository.',
    ],
    remedies: [
      'Make a Secret of type `kubernetes.io/dockerconfigjson` and name it in `imagePullSecrets`.',
      'Compare the host in the Secret with the one in the image’s name, letter by letter.',
      'Run another image in its place with the word `images` of the profile, or `build` it.',
    ],
  },
  'READY-113': {
    means: 'The registry has the image, but for other processors or systems than the node’s.',
    looks: `✗ READY-113 The image registry.example.com/shop/web:1.2 of Deployment/web is not built for the node (linux/arm64).
  → Build it for the node too (\`docker buildx build --platform\`), or name another in Deployment/web (k8s/web.yaml:14).`,
    causes: [
      'The image is built for amd64 only, and the laptop has an arm64 processor, or the other way round.',
      'It is an image of Windows.',
    ],
    remedies: [
      'Build it for both: `docker buildx build --platform linux/amd64,linux/arm64`.',
      'Give its service a `build`: devkit builds for the node.',
      'Run another image in its place with the word `images` of the profile.',
    ],
  },
  'READY-114': {
    means: 'The manifest forbids to pull the image (`imagePullPolicy: Never`), and the node does not have it.',
    looks: `✗ READY-114 The image shop/web:dev of Deployment/web is not on the node, and \`imagePullPolicy: Never\` forbids to pull it.
  → Give its service a \`build\`, or drop \`imagePullPolicy\` in Deployment/web (k8s/web.yaml:15).`,
    causes: [
      'It was to be loaded by hand, and nobody did, or the cluster was made anew since.',
      'The name or tag differs from that of the image that was loaded.',
      'There are several nodes, and only one of them has it.',
    ],
    remedies: [
      'Give its service a `build`: devkit builds it and delivers it to every node.',
      'Drop `imagePullPolicy`, so that a node pulls what it has not.',
    ],
  },
  'READY-115': {
    means:
      'The node has the image, but `imagePullPolicy: Always` (the default for `:latest`) asks the registry before every start, and the registry does not have it or can’t be reached.',
    looks: `✗ READY-115 The image shop/web:latest of Deployment/web is on the node, but \`imagePullPolicy: Always\` asks the registry docker.io for it, in vain.
  → Set \`imagePullPolicy: IfNotPresent\` in Deployment/web (k8s/web.yaml:15).`,
    causes: [
      'The image was built or loaded here and never pushed.',
      'Its tag is `latest` or missing, which means Always where nothing else is said.',
      'The machine is offline.',
    ],
    remedies: [
      'Set `imagePullPolicy: IfNotPresent`; a patch of the profile does it for this environment only.',
      'Give its service a `build`: devkit then sees to the policy.',
    ],
  },
  'READY-116': {
    means:
      'The registry answers, but with an error of its own or that it is asked too often. The node tries again by itself: it is a warning, and a failure when it lasts two minutes.',
    looks: `! READY-116 The image docker.io/library/redis:7 of Deployment/redis is not pulled yet: the registry docker.io fails, it is asked too often (429).
  → Wait: the node tries again; a login (\`imagePullSecrets\`) or a mirror (\`mirrors\` of the machine’s settings) raises limits.`,
    causes: [
      'Docker Hub’s limit of pulls without a login is reached: it counts per address, a whole office may share one.',
      'The registry, or a proxy in front of it, is starting or overloaded.',
    ],
    remedies: [
      'Wait, if it answers with 5xx.',
      'Log in: `imagePullSecrets`, or a mirror that keeps what it pulled (`mirrors` of the machine’s settings).',
    ],
  },
  'READY-117': {
    means: 'The image came to the node, but can’t be unpacked there. A download that broke off is tried again for 20 seconds.',
    looks: `✗ READY-117 The image registry.example.com/shop/web:1.2 of Deployment/web cannot be unpacked on the node: invalid tar header.
  → Build it and push it again; a proxy or a mirror in between may have damaged it.`,
    causes: [
      'A layer in the registry is damaged, or its push broke off.',
      'A proxy or mirror in between gave something else, such as a page that wants a login.',
      'The node has no space left: the message says so.',
    ],
    remedies: [
      'Push the image again, under a new tag.',
      'Pull it without the mirror.',
      'Make room: `docker system prune` on the machine, or more disk for the container engine.',
    ],
  },
} satisfies Partial<Record<ProblemCode, Page>>
