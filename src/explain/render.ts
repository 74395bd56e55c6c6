import type { PagesOf } from './page.ts'

/** The manifests: reading them (1xx), and what will not work in them (2xx). */
export const renderPages: PagesOf<'RENDER'> = {
  'RENDER-101': {
    means: 'A file of the manifests is no YAML that kubectl would read.',
    looks: `✗ RENDER-101 k8s/web.yaml:14: the key image is there twice.
  → Mend the YAML.`,
    causes: [
      'An indentation is wrong, or a tab stands in it.',
      'A key is there twice, or a quote or bracket is not closed.',
      'The file is a template: it has `{{ … }}` that Helm is to fill in.',
      'It is not saved as UTF-8.',
    ],
    remedies: [
      'Mend the line that the message names.',
      'Name the chart as `{ helm: { chart: … } }` in `manifests` if it is a template of Helm.',
    ],
  },
  'RENDER-102': {
    means:
      'A document of the manifests is YAML, but no Kubernetes object: a field that every object has is missing or of another type.',
    looks: `✗ RENDER-102 k8s/values.yaml:1: not a Kubernetes object: apiVersion is missing.
  → Add it, or leave the file out of \`manifests\`.`,
    causes: [
      'A file that is no manifest lies in the directory: values of a chart, a kustomization, settings of another tool.',
      '`apiVersion`, `kind` or `metadata.name` was forgotten.',
      'A part has the wrong type, such as one container in place of a list.',
    ],
    remedies: [
      'Leave the file out of `manifests`: name files or a glob in place of the directory.',
      'Name it as what it is: `{ kustomize: … }`, `{ helm: … }` or `{ template: … }`.',
      'Add or correct the field that the message names.',
    ],
  },
  'RENDER-103': {
    means: 'Something that `manifests` names is not there, has no manifest in it, or can’t be read.',
    looks: `✗ RENDER-103 The manifest source k8s/prod does not exist.
  → Correct \`manifests\` in the config; paths are relative to it.`,
    causes: [
      'The path is misspelt; it is relative to the config file.',
      'It is made by another step that has not run, or is not on this branch.',
      'A glob fits no file.',
      'This user may not read the file.',
    ],
    remedies: ['Correct `manifests` in the config.', 'Make the files, or check out what brings them.'],
  },
  'RENDER-104': {
    means: 'Two manifests are of the same object (kind, name, namespace): the second would overwrite the first.',
    looks: `✗ RENDER-104 k8s/web.yaml:16: Service/web is defined already at k8s/all.yaml:1.
  → Remove one of the two.`,
    causes: [
      '`manifests` names a directory and a file in it, or a base and the overlay that contains it.',
      'A manifest was copied and its name left as it was.',
      'Two charts bring the same object.',
    ],
    remedies: ['Remove one of the two places that the message names.', 'Give one of them another name.'],
  },
  'RENDER-105': {
    means: 'A source of the manifests is rendered by a program that was not found.',
    looks: `✗ RENDER-105 kustomize or kubectl, which renders the kustomization k8s/overlays/prod, is not installed.
  → Install kustomize (https://kubectl.docs.kubernetes.io/installation/kustomize/) or kubectl.`,
    causes: [
      'helm, or kustomize and kubectl, are not installed or not on PATH.',
      'The program of a `{ command: [...] }` is misspelt or not built yet.',
    ],
    remedies: ['Install it.', 'Name its path in the machine’s settings: `tools.helm`, `tools.kustomize`, `tools.kubectl`.'],
  },
  'RENDER-106': {
    means:
      'The program that renders a source of the manifests ended with an error. The message has its last word, the hint how it was called.',
    looks: `✗ RENDER-106 helm cannot render the chart charts/web: nil pointer evaluating interface {}.tag
  → Correct what it names; it ran as: helm template web charts/web`,
    causes: [
      'A value that a template needs is not given.',
      'A kustomization names a file or base that is not there.',
      'A chart that it depends on can’t be had: network, login.',
      'A program of one’s own has a mistake.',
    ],
    remedies: [
      'Run the command of the hint yourself and mend what it says.',
      'Give the values in `manifests`: `{ helm: { chart, values } }`.',
    ],
  },
  'RENDER-107': {
    means:
      'An OpenShift template has parameters that got no value, or the config gives some that it does not have. All are told at once.',
    looks: `✗ RENDER-107 k8s/template.yaml:5: HOST is required and has no value
  → Give values in the config: \`{ template: { file: 'k8s/template.yaml', parameters: { … } } }\`.`,
    causes: [
      'A required parameter has no value and no default.',
      'A name in `parameters` is misspelt.',
      'The template makes a value up, and `render -p production` has to be the same twice.',
    ],
    remedies: ['Give the values in `parameters` of the source.', 'Correct the name; the message has the nearest one.'],
  },
  'RENDER-109': {
    means: 'A patch or function of the profile was applied to an object and failed, or what came out of it is no object.',
    looks: `✗ RENDER-109 devkit.config.ts:31:9: patches.0 of the profile does not fit Deployment/web: there is no /spec/paused.
  → Correct patches.0, or select other objects.`,
    causes: [
      'A JSON patch names a path that the object does not have.',
      'The rule selects more objects than it was written for.',
      'The manifest changed, and the rule did not.',
      'A function of `transform` throws, or forgets to return the object.',
    ],
    remedies: ['Compare the path with the object: `devkit render -p production` shows it.', 'Narrow `select` of the rule.'],
  },
  'RENDER-110': {
    means:
      'The annotation of an object that says when it is applied (Argo CD’s sync wave, the weight of a Helm hook) is no whole number.',
    looks: `✗ RENDER-110 argocd.argoproj.io/sync-wave of Job/migrate is "first", which is no whole number (k8s/migrate.yaml:1).
  → Write a whole number in quotes, such as "-1" or "5": lower ones are applied first.`,
    causes: ['It is a word or a decimal number.', 'A template filled nothing in.'],
    remedies: ['Write a whole number in quotes, such as "-1" or "5".'],
  },
  'RENDER-201': {
    means:
      'A manifest refers to an object or key that nothing provides: neither the manifests nor the config’s secrets nor the cluster. It is a failure where a pod certainly never starts without it, else a warning.',
    looks: `✗ RENDER-201 k8s/web.yaml:31: Deployment/web: Secret web-env is referenced by web/envFrom, nothing provides it.
  → Add the Secret to the manifests, name it in \`secrets\` of the config, or say \`optional: true\` there.`,
    causes: [
      'It is made by hand or by another repository in production: most often a Secret.',
      'Its name is misspelt, or it was renamed.',
      'It is in another namespace.',
      'The key is not in its data.',
      'The manifest that has it is not among `manifests`.',
    ],
    remedies: [
      'Name a Secret in `secrets` of the config, with where its values come from.',
      'Add the object to the manifests, or correct the name.',
      'Say `optional: true` where the program can do without.',
    ],
  },
  'RENDER-202': {
    means:
      'A probe, Service or backend names a port that is not there. A probe of such a port never passes, which is a failure; of the others nothing answers, which is a warning.',
    looks: `✗ RENDER-202 k8s/web.yaml:27: Deployment/web: readinessProbe asks the port htp, container web names none so.
  → Did you mean http?`,
    causes: [
      'The name is misspelt, or the port was renamed in one place only.',
      'The container lists its port without a name.',
      'The number of the Service is meant, and that of the container written, or the other way round.',
    ],
    remedies: [
      'Name one of the ports in the hint, or the number.',
      'Give the port of the container that name: `ports: [{ name: http, containerPort: 8000 }]`.',
    ],
  },
  'RENDER-203': {
    means:
      'A selector fits no pod: of a workload it has to fit its own pods, or the API server refuses it (a failure); of a Service, a budget or a policy it leads nowhere (a warning).',
    looks: `! RENDER-203 k8s/web.yaml:40: Service/web: no pod of the manifests has the labels app=wbe.
  → Did you mean app=web, as the pods of Deployment/web have?`,
    causes: [
      'A label is misspelt, or was changed in one place only.',
      'A kustomization or chart adds labels to the pods and not to the selector.',
      'The pods that are meant are not among `manifests`.',
    ],
    remedies: [
      'Write the same labels in the selector and in `spec.template.metadata.labels`.',
      'Leave the Service out with `skip` of the profile if its pods are not run here.',
    ],
  },
  'RENDER-204': {
    means:
      'An API version is gone in the Kubernetes that the manifests are for (a failure), or is deprecated and will go (a warning). The hint names what takes its place and what else changes.',
    looks: `✗ RENDER-204 k8s/ingress.yaml:1: Ingress/web: networking.k8s.io/v1beta1 is gone since Kubernetes 1.22, the manifests are for 1.34.
  → Write apiVersion: networking.k8s.io/v1.`,
    causes: [
      'The manifest or chart is older than the cluster.',
      '`kubernetes` of the config says another version than production has.',
    ],
    remedies: [
      'Write the version that the hint names, with its other changes.',
      'Take a newer version of the chart.',
      'Write the version that production has as `kubernetes` in the config.',
    ],
  },
  'RENDER-205': {
    means: 'A manifest is of a kind that Kubernetes does not have, and no CustomResourceDefinition among the manifests makes it.',
    looks: `✗ RENDER-205 k8s/cert.yaml:1: Certificate/web: Kubernetes has no Certificate in cert-manager.io/v1, and no CRD among the manifests makes it.
  → Add the CRD to \`manifests\`, or let the profile leave it out: \`foreignKinds: 'skip'\`.`,
    causes: [
      'An operator of production brings the kind, and the laptop has no such operator.',
      'Kind or apiVersion is misspelt.',
      'The CRD is installed apart from the manifests.',
    ],
    remedies: [
      "Let the profile leave such objects out: `foreignKinds: 'skip'`.",
      'Add the operator with its CRDs to `manifests`.',
      'Correct kind and apiVersion; the hint has the nearest.',
    ],
  },
  'RENDER-206': {
    means:
      'A warning: an Ingress, Gateway or Service of type LoadBalancer asks for a controller that the cluster does not have. It is applied, and nothing waits for it.',
    looks: `! RENDER-206 k8s/ingress.yaml:6: Ingress/web: the cluster has no ingress controller; it is applied all the same, and not waited for.
  → Reach the pods by \`ports\` of a service in the config, or add the controller to the manifests.`,
    causes: [
      'The controller is part of production’s cluster and not of the manifests.',
      'The class that an Ingress or a Gateway names is of another cluster, or misspelt.',
      'The controller is there and has not yet accepted its GatewayClass.',
    ],
    remedies: [
      'Reach the pods by `ports` of a service in the config.',
      'Add the controller to the manifests if its rules are to be tried here.',
      'Look at what there is: `kubectl get ingressclass,gatewayclass`.',
    ],
  },
  'RENDER-207': {
    means: 'A warning: all pods together request more CPU or memory than the machine has, so that some will stay Pending.',
    looks: `! RENDER-207 k8s/web.yaml:9: all pods together ask for 4.95 CPUs, the node has 4 CPUs: some will stay Pending. Most of it is Deployment/web's, 4 CPUs.
  → Lower \`requests\` or \`maxReplicas\` in the profile.`,
    causes: [
      'Requests and replicas are those of production.',
      'The container engine was given only a part of the machine (Docker Desktop, a virtual machine).',
    ],
    remedies: [
      'Lower them in the profile: `requests`, `maxRequests`, `maxReplicas`.',
      'Leave workloads out that a laptop does not need: `skip`.',
      'Give the engine more CPU and memory.',
    ],
  },
  'RENDER-208': {
    means:
      'A warning: the manifests run an image beside one that is built here, and no service of the config names it. So it is pulled, and what is in this repository is not what runs.',
    looks: `! RENDER-208 k8s/worker.yaml:12: Deployment/worker: no service of the config has the image registry.example.com/shop/worker, so it is pulled.
  → Name it in \`services\` of the config, with a build where it is built here.`,
    causes: [
      'A new workload is not in the config yet.',
      '`image` of a service is misspelt.',
      'The image is built elsewhere, and pulling it is right.',
    ],
    remedies: [
      'Add a service with that `image`, and a `build` if its source is here.',
      'Correct `image` of the service that is meant.',
    ],
  },
}
