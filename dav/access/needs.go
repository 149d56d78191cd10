package access

import "os"

// Needs is what an Authenticator uses after it was made.
type Needs struct {
	Files   []string // that are read again when they change
	Folder  string   // where processes share what they know; "": none
	Socket  bool     // the helper listens on a Unix socket
	Program bool     // the helper is started
}

// Needs tells so, for whoever confines the process.
func (a *Authenticator) Needs() Needs {
	var n Needs
	if a.users != nil {
		n.Files = append(n.Files, a.users.name)
	}
	if a.Groups.kind == "htgroup" {
		n.Files = append(n.Files, a.Groups.file.name)
	}
	if a.kind == "htpasswd" || a.byHelper() {
		n.Folder = a.folder()
	}
	if a.byHelper() {
		_, err := os.Stat(a.socket)
		n.Socket = a.socket != "" && err == nil
		n.Program = !n.Socket
	}
	return n
}
