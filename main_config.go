package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"inetdav/dav/config"
	"inetdav/store"
)

// checkConfig prints the effective configuration, with where each value comes
// from, and says what is wrong with it and where a Radicale would differ. It
// opens what serving would open, as the user who runs it, and makes nothing.
func checkConfig(args []string) int {
	c, rest, warnings, err := config.Load(args, os.Getenv)
	if err != nil {
		return fail(err)
	}
	if len(rest) > 0 {
		return misused("unknown argument %q", rest[0])
	}
	if err := c.Write(os.Stdout); err != nil {
		return fail(err)
	}
	logs := &sink{level: levelInfo, fd: 2}
	for _, w := range warnings {
		logs.Logf(levelWarning, "%s (Radicale would not start)", w)
	}
	if c.Source("auth", "type") == "default" {
		logs.Logf(levelWarning, "no [auth] type is set: nobody can log in")
	}
	for _, d := range differences(c) {
		logs.Logf(levelInfo, "%s", d)
	}
	_, auth, _, err := open(c, logs, func(o store.Options) (*store.Store, error) {
		if os.Geteuid() == 0 && asOwner(o.Folder) != nil {
			logs.Logf(levelWarning, "checked as root, for whom all is open: run it as the user to whom %s belongs", o.Folder)
		}
		return nil, checkFolders(o)
	})
	if err == nil {
		err = checkLog(c.String("inetdav", "log"))
	}
	if err == nil {
		err = auth.CheckUsers()
	}
	if err == nil {
		_, err = loadProxies(c)
	}
	if err == nil {
		err = auth.CheckHelper()
	}
	if err != nil {
		return fail(err)
	}
	fmt.Println("\n# the configuration can be served")
	return exitDone
}

// checkFolders says what of the storage folder this user cannot use as a server
// has to. What is missing is made when it is needed, but not the folder.
func checkFolders(o store.Options) error {
	const all = unix.R_OK | unix.W_OK | unix.X_OK
	for _, need := range [...]struct {
		option, path string
		mode         uint32
		made         bool
	}{
		{"filesystem_folder", o.Folder, all, false},
		{"filesystem_folder", filepath.Join(o.Folder, "collection-root"), all, true},
		{"filesystem_folder", filepath.Join(o.Folder, ".Radicale.lock"), unix.R_OK, true},
		{"filesystem_cache_folder", o.CacheFolder, all, true},
	} {
		err := usable(need.path, need.mode)
		if need.path == "" || err == nil || need.made && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return fmt.Errorf("[storage] %s: %w", need.option, err)
	}
	return nil
}

// checkLog says why [inetdav] log cannot be opened where it is a file.
func checkLog(where string) error {
	switch where {
	case "auto", "", "stderr", "syslog":
		return nil
	}
	err := usable(where, unix.W_OK)
	if errors.Is(err, fs.ErrNotExist) { // it is made
		err = usable(filepath.Dir(where), unix.W_OK|unix.X_OK)
	}
	if err != nil {
		return fmt.Errorf("[inetdav] log: %w", err)
	}
	return nil
}

func usable(path string, mode uint32) error {
	if err := unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// differences tells of values with which a Radicale that reads them too would
// do something else, or not start.
func differences(c *config.Config) []string {
	var list []string
	for _, key := range [...]string{"validate_user_value", "validate_path_value"} {
		if c.String("server", key) == "no-unicode" {
			list = append(list, "[server] "+key+": Radicale does not start with no-unicode")
		}
	}
	if c.String("auth", "type") == "checkpassword" {
		list = append(list, "[auth] type = checkpassword: Radicale does not start with it")
	}
	if c.Sets("inetdav") {
		list = append(list, "[inetdav] stands in a file: Radicale does not start with it; where both read the file, use options of the command line, --inetdav-...")
	}
	return list
}

// warnUnused says once which options do not do what they do in Radicale.
func warnUnused(c *config.Config, logs *sink) {
	elsewhere, undone := c.Unused()
	if elsewhere != "" {
		logs.Logf(levelInfo, "no effect here: %s", elsewhere)
	}
	if undone != "" {
		logs.Logf(levelNotice, "not done here: %s", undone)
	}
}
