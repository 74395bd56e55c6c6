// A file of its own, imported when first used: the bundler keeps only what is named here of a package of 16 MB.
export { KubeConfig } from '@kubernetes/client-node'
