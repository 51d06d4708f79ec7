// Command registry is the companion daemon of ironic_cpi: agent settings registry and WebDAV repository.
package main

func main() {}
