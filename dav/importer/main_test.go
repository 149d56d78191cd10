package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What the import is built on is no part of the program that serves.
func TestServerWithoutClients(t *testing.T) {
	list := func(pkg string) []string {
		out, err := exec.Command("go", "list", "-deps", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	const client = "github.com/emersion/go-webdav"
	if !slices.Contains(list("."), client) {
		t.Fatal("the import is built on something else")
	}
	for _, dep := range list("inetdav") {
		if strings.HasPrefix(dep, client) || strings.HasPrefix(dep, "github.com/emersion/go-ical") || dep == "inetdav/dav/importer" {
			t.Errorf("the server is built on %s", dep)
		}
	}
}
