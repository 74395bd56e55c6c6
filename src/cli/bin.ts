#!/usr/bin/env node
// The first file that runs, on whatever Node there is: it uses nothing newer than Node 14.
const wanted = [22, 22]
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < (wanted[0] ?? 0) || (major === wanted[0] && minor < (wanted[1] ?? 0))) {
  process.stderr.write(`devkit needs Node ${wanted.join('.')} or newer; this is ${process.versions.node}.\n`)
  process.exitCode = 1
} else {
  void import('./main.ts').then(({ main }) => main())
}
