// Command inetdav-import copies calendars and address books between a storage
// folder and the world: from files, folders and other servers into it, and out
// of it into files.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "inetdav-import: not yet")
	os.Exit(2)
}
