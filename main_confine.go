package main

import (
	"errors"
	"fmt"

	"inetdav/dav/access"
	"inetdav/dav/config"
	"inetdav/store/confine"
)

// This file says what the process needs once it has opened what it serves.

// policy is what a process with this configuration still has to do.
func policy(c *config.Config, auth *access.Authenticator, logs *sink) *confine.Policy {
	need := auth.Needs()
	p := &confine.Policy{
		Folders: []string{c.Path("storage", "filesystem_folder")},
		// The times in the log, and time zones that an object only names.
		Files:    append(need.Files, "/etc/localtime"),
		Trees:    []string{"/usr/share/zoneinfo"},
		Streams:  need.Socket || logs.form == formSyslog && logs.stream,
		Programs: need.Program || c.String("storage", "hook") != "",
		Anywhere: c.Bool("inetdav", "follow_links"),
		// syslog's daemon may be started anew.
		Datagrams: logs.form == formSyslog && !logs.stream,
	}
	for _, dir := range [...]string{c.Path("storage", "filesystem_cache_folder"), need.Folder} {
		if dir != "" {
			p.Folders = append(p.Folders, dir)
		}
	}
	return p
}

// threadPolicy is the policy for the threads that serve users, nil where there are
// no such.
func threadPolicy(c *config.Config, auth *access.Authenticator, logs *sink) *confine.Policy {
	if c.String("inetdav", "confine") == "no" || c.Bool("inetdav", "follow_links") || !confine.Threads() {
		return nil
	}
	return policy(c, auth, logs)
}

// confineProcess takes from the process what it does not need. The error says why
// it may not serve without.
func confineProcess(c *config.Config, auth *access.Authenticator, logs *sink) error {
	how := c.String("inetdav", "confine")
	if how == "no" {
		return nil
	}
	err := confine.Process(*policy(c, auth, logs))
	switch {
	case err == nil:
	case how == "strict":
		return fmt.Errorf("[inetdav] confine = strict, but: %w", oneLine(err))
	default:
		logs.Logf(levelDebug, "not confined as far as could be: %v", oneLine(err))
	}
	return nil
}

// oneLine is an error of several as one line.
func oneLine(err error) error {
	list, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	text := ""
	for _, err := range list.Unwrap() {
		if text != "" {
			text += "; "
		}
		text += err.Error()
	}
	return errors.New(text)
}
