import type { PagesOf } from './page.ts'

/** What the config wants against what the manifests have. */
export const planPages: PagesOf<'PLAN'> = {
  'PLAN-101': {
    means:
      'A service is named that neither the config nor the manifests have: on the command line, in `dependsOn`, or in a profile.',
    looks: `✗ PLAN-101 There is no service 'wbe'.
  → Did you mean 'web'?`,
    causes: ['Its name is misspelt.', 'It was renamed, and something still has the old name.', 'It is in another project.'],
    remedies: ['Use one of the names in the hint.', 'Look at `devkit config`, which shows every service.'],
  },
  'PLAN-102': {
    means: 'Following `dependsOn` from service to service leads back to where it began: none of them could be started first.',
    looks: `✗ PLAN-102 devkit.config.ts:12:18: services depend on each other in a loop: web → api → web.
  → Remove one dependsOn of the loop.`,
    causes: ['Two services call each other, and both say so in `dependsOn`.', 'A `dependsOn` was meant the other way round.'],
    remedies: ['Remove the `dependsOn` that is not needed for starting: a service that tries again needs none.'],
  },
  'PLAN-103': {
    means:
      'Another checkout on this machine has this environment of this project up. Two directories would overwrite each other’s objects.',
    looks: `✗ PLAN-103 The environment shop/default is held by /home/me/shop-main.
  → Use another with --env NAME, or run \`devkit down\` there first.`,
    causes: [
      'The repository is checked out twice (a worktree, a second clone), and the other one is up.',
      'Two projects have the same name in `project`.',
    ],
    remedies: [
      'Give this checkout an environment of its own: `--env NAME`, or DEVKIT_ENV.',
      'Run `devkit down` in the other directory.',
      'Give one of the projects another name.',
    ],
  },
  'PLAN-104': {
    means: 'A service of the config names an image that no container of the manifests runs, so nothing would run what is built.',
    looks: `✗ PLAN-104 devkit.config.ts:8:12: The image registry.example.com/shop/wbe of web is in no manifest.
  → Did you mean registry.example.com/shop/web?`,
    causes: [
      'The image is misspelt, or written without its registry.',
      'The manifests name another image since a rename.',
      'The manifests that have it are not among `manifests`.',
    ],
    remedies: ['Write `image` as it stands in the manifests, without its tag.', 'Add the manifests that are missing.'],
  },
  'PLAN-105': {
    means: 'A service of the config asks for a port of the host for a port that no Service in front of its pods has.',
    looks: `✗ PLAN-105 devkit.config.ts:11:21: No Service of web has the port htp.
  → Its ports are http, metrics.`,
    causes: [
      'The port is misspelt, or is the container’s while the Service’s is meant.',
      'No Service selects the pods of the workload.',
    ],
    remedies: [
      'Use the name or number of a port of the Service.',
      'Add a Service to the manifests whose selector fits the pods.',
    ],
  },
  'PLAN-106': {
    means: 'A service of the config belongs to no workload of the manifests: none has the name or the image that it gives.',
    looks: `✗ PLAN-106 devkit.config.ts:9:15: The workload Deployment/wbe of web is in no manifest.
  → Set services.web.workload to one of Deployment/web, StatefulSet/store.`,
    causes: [
      'The workload is misspelt or lacks its kind.',
      'The service has another name than its workload, and no `image` or `workload` that says which is meant.',
      'The manifests that have it are not among `manifests`.',
    ],
    remedies: ['Set `workload` to one of those in the hint, as Kind/name.', 'Call the service as its workload is called.'],
  },
  'PLAN-107': {
    means:
      'An environment owns one namespace and puts the manifests into it. Objects that name a second one would be shared by all environments.',
    looks: `✗ PLAN-107 k8s/metrics.yaml:1: Service/metrics is of the namespace monitoring, but this environment owns shop-default.
  → Leave namespaces out of the manifests, or let all of them name the same one: each environment puts them into its own.`,
    causes: [
      'The manifests of several teams or of a shared tool are among `manifests`.',
      'A chart or kustomization puts some of its objects into a namespace of its own.',
    ],
    remedies: [
      'Leave `metadata.namespace` out, or name the same one everywhere.',
      'Leave those objects out with `skip` of the profile, if a laptop does not need them.',
    ],
  },
}
