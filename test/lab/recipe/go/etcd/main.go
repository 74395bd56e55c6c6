// Pins the etcd program to build; the program itself is the module's own main package.
package main

import "go.etcd.io/etcd/server/v3/etcdmain"

func main() { etcdmain.Main([]string{"etcd"}) }
