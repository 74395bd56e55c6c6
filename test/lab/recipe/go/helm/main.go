// Pins the helm program to build; the program itself is the module's own cmd/helm.
package main

import _ "helm.sh/helm/v3/pkg/action"

func main() {}
