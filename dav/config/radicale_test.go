package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// loadWithRadicale is what Debian's radicale makes of each file: null, or the
// values of its options, as texts.
const loadWithRadicale = `
import json, sys
sys.path.insert(0, "/usr/lib/python3/dist-packages")
from radicale import config
out = []
for path in json.load(sys.stdin):
    try:
        c = config.load([(path, False)])
    except Exception:
        out.append(None)
        continue
    out.append({s: {k: repr(c.get(s, k)) for k in c.options(s)} for s in c.sections()})
json.dump(out, sys.stdout)
`

// radicaleDiffers are the values that one of the two refuses, with the reason.
var radicaleDiffers = map[string]string{
	"[logging]\nlevel = trace\n":  "a level of Radicale 3.5",
	"[logging]\nlevel = notice\n": "a level of Radicale 3.7",
	"[logging]\nlevel = alert\n":  "a level of Radicale 3.5",

	"[server]\nmax_connections = 99999999999999999999\n":      "Python's integers have no end",
	"[server]\nmax_connections = ١٢\n":                        "Python takes the digits of any script",
	"[auth]\ndelay = ١٢\n":                                    "Python takes the digits of any script",
	"[server]\nhosts = a:99999999999999999999\n":              "Python's integers have no end",
	"[storage]\nfilesystem_folder = ~nobody-of-this-name/x\n": "Python makes a folder of the name ~nobody-of-this-name below the working folder of it",

	"[server]\nhosts = a:١٢\n": "Python takes the digits of any script",
}

// Files and values which Radicale takes are taken, with the same values; those
// that it refuses are refused, or, where an option or section is unknown, warned
// of.
func TestAsRadicale(t *testing.T) {
	if _, err := os.Stat("/usr/lib/python3/dist-packages/radicale/config.py"); err != nil {
		t.Skip("SKIPPED: Debian's radicale is not installed")
	}
	texts := []string{
		"", "\n", "# only\n; comments\n", "[auth]\n", "[auth]\n[auth]\n", "[auth\n", "auth]\n", "[]\n", "[ auth ]\n", "[auth] # x\n", "[auth]]\n",
		"type = none\n", "[auth]\ntype\n", "[auth]\ntype =\n", "[auth]\n= none\n", "[auth]\n: none\n", "[auth]\ntype : none\n", "[auth]\nTYPE = none\n",
		"[AUTH]\ntype = none\n", "[auth]\ntype = none\ntype = none\n", "[auth]\ntype = none\nType = none\n", "[auth]\ntype = none # x\n",
		"[auth]\ntype = none ; x\n", "[auth]\n  type = none\n  realm = x\n", "[auth]\nrealm = a\n  b\n c\n", "[auth]\nrealm = a\n\n  b\n", "[auth]\nrealm = a\n  # c\n  b\n",
		"[auth]\nrealm = a\n\n", "[auth]\n realm = a\ntype = none\n", "[auth]\nrealm = %(x)s %% %\n", "[auth]\nrealm == a\n", "[auth]\nrealm = a = b : c\n",
		"[auth]\r\ntype = none\r\n", "[auth]\rtype = none\r", "\ufeff[auth]\ntype = none\n", "[auth]\nrealm = é\n", "[DEFAULT]\ntype = none\n[auth]\n", "[DEFAULT]\nx = y\n[auth]\n",
		"[DEFAULT]\nx = y\n", "[DEFAULT]\n[DEFAULT]\n[auth]\n", "[auth]\nx = y\n", "[x]\n", "[x]\ny = z\n", "[headers]\n", "[headers]\nA-b = c\nX = \n", "[headers]\na = b\nA = c\n",
		"[auth]\n_x = y\n", "[server]\n_internal_server = True\n", "[auth]\ntype none\n", "[auth]\n\ttype = none\n\t realm = x\n", "[auth]\ntype = none\n realm = x\n",
		"[rights]\ntype = a.b.c\n", "[storage]\nhook = \n", "[storage]\nhook = git add -A && (git diff --cached --quiet || git commit -m \"Changes by \"%(user)s)\n",
		"[storage]\nfilesystem_folder = ~/x\n", "[storage]\nfilesystem_folder = relative/../y\n", "[storage]\nfilesystem_folder =\n", "[storage]\nfilesystem_folder = /a//b/./c/\n",
		"[encoding]\nrequest = latin-1\nstock = utf-8\n", "[web]\ntype = none\n", "[storage]\nfilesystem_folder = ~nobody-of-this-name/x\n",
	}
	values := map[string][]string{
		"[server]\nmax_connections": {"0", "8", "+8", "-1", "-0", "1_000", "1__0", "_1", "1_", "1.0", "1e3", "0x10", "010", "00", "", "eight", "8 8", "99999999999999999999", "١٢", "+-1", "1+"},
		"[server]\ntimeout":         {"0", "30", "0.5", ".5", "5.", ".", "1e3", "1E-3", "1e", "-1", "inf", "nan", "Infinity", "1e999", "1_0.0_1", "1_.0", "0x1p3", "", "5s", "+5", "1,5"},
		"[auth]\ndelay":             {"1", "١٢"},
		"[server]\nssl":             {"True", "true", "TRUE", "yes", "Yes", "on", "1", "False", "no", "off", "0", "", "y", "t", "2", "enabled"},
		"[server]\nhosts": {"localhost:5232", "a:1,b:2", "a:1, b:2 , [::1]:3", "[::]:5232", "a", "", ":5232", "a:", "a:b", "a:1,", ",", "a: 1", "a:-1", "a:+1", "a:1_0",
			"a:99999999999999999999", "a:١٢", "::1:5232", "a:1;b:2"},
		"[logging]\nlevel":              {"debug", "info", "warning", "error", "critical", "trace", "notice", "alert", "INFO", "", "loud", "10"},
		"[logging]\nmask_passwords":     {"no", "maybe"},
		"[auth]\nrealm":                 {"", "a", "\"a\"", "'a'", "%", "%%", "a ; b", "a # b", "\\n"},
		"[storage]\nmax_sync_token_age": {"0", "2592000", "-5", "1d"},
	}
	for key, list := range values {
		for _, v := range list {
			texts = append(texts, key+" = "+v+"\n")
		}
	}
	// And files made of pieces by chance.
	pieces := []string{"[auth]", "[server]", "[DEFAULT]", "[headers]", "type = none", "ssl = yes", "realm: x", "timeout = 3", "  more", " # c", "; c", "", "delay=1", "delay =", "=", "x", "Realm = y", "\thosts = a:1", "[web] x", "]", "["}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		lines := []string{"[" + []string{"auth", "server", "headers"}[random.IntN(3)] + "]"}
		for range 1 + random.IntN(6) {
			lines = append(lines, pieces[random.IntN(len(pieces))])
		}
		texts = append(texts, strings.Join(lines, "\n")+"\n")
	}

	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("HOME", "/home/of-the-test")
	var names []string
	for i, text := range texts {
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	in, _ := json.Marshal(names)
	cmd := exec.Command("/usr/bin/python3", "-X", "utf8", "-c", loadWithRadicale)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var results []map[string]map[string]string
	if err := json.Unmarshal(out, &results); err != nil || len(results) != len(texts) {
		t.Fatal(err, len(results))
	}
	taken := 0
	for i, text := range texts {
		c, _, warnings, err := Load([]string{"--config", names[i]}, os.Getenv)
		ours, theirs := err == nil && len(warnings) == 0, results[i] != nil
		if _, differs := radicaleDiffers[text]; differs != (ours != theirs) {
			t.Errorf("%q: taken by us: %v %v %q, by Radicale: %v", text, ours, err, warnings, theirs)
			continue
		}
		if !ours || !theirs {
			continue
		}
		taken++
		for section, options := range results[i] {
			for key, want := range options {
				if section == "headers" {
					continue
				}
				if got := pythonOf(c, section, key); got != want && c.Source(section, key) != "default" {
					t.Errorf("%q: [%s] %s is %s, in Radicale %s", text, section, key, got, want)
				}
			}
		}
		var headers []string
		for name, value := range c.Headers() {
			headers = append(headers, name+"="+pythonString(value))
		}
		var want []string
		for name, value := range results[i]["headers"] {
			want = append(want, name+"="+value)
		}
		slices.Sort(headers)
		slices.Sort(want)
		if !slices.Equal(headers, want) {
			t.Errorf("%q: headers %q, in Radicale %q", text, headers, want)
		}
	}
	if taken < 100 || len(texts)-taken < 100 {
		t.Errorf("only %d of %d files are good", taken, len(texts))
	}
}

// pythonOf is the repr of an option's value, as far as the test needs.
func pythonOf(c *Config, section, key string) string {
	switch o := find(section, key); o.kind {
	case boolean:
		if c.Bool(section, key) {
			return "True"
		}
		return "False"
	case count, integer:
		return fmt.Sprint(c.Int(section, key))
	case seconds:
		s := fmt.Sprint(c.Duration(section, key).Seconds())
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case hosts:
		var list []string
		for h := range strings.SplitSeq(c.String(section, key), ",") {
			n := strings.LastIndexByte(h, ':')
			port, _ := parseInt(strip(h[n+1:]))
			list = append(list, fmt.Sprintf("(%s, %d)", pythonString(strings.Trim(h[:n], " \t\n[]")), port))
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	return pythonString(c.String(section, key))
}

func pythonString(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	return quote + strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, quote, `\`+quote).Replace(s) + quote
}
