package main

import (
	"fmt"
	"os"
)

var version = "devel"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "version" {
		fmt.Println("inetdav", version)
	}
}
