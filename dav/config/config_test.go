package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// The table has Radicale's options, each once, and good defaults.
func TestOptions(t *testing.T) {
	got := make(map[string]int)
	for _, section := range sections {
		if got[section.name] > 0 {
			t.Errorf("[%s] is there twice", section.name)
		}
		for i := range section.options {
			o := &section.options[i]
			if find(section.name, o.key) != o {
				t.Errorf("[%s] %s is there twice", section.name, o.key)
			}
			got[section.name]++
			if want := check(o.kind, o.value); want != "" {
				t.Errorf("[%s] %s: default %q is not %s", section.name, o.key, o.value, want)
			}
			if o.kind == path && o.value != "" && !filepath.IsAbs(o.value) {
				t.Errorf("[%s] %s: default %q is not absolute", section.name, o.key, o.value)
			}
		}
	}
	// Radicale 3.8 has 139 with the one line for any header.
	want := map[string]int{"server": 17, "encoding": 2, "auth": 41, "group": 3, "rights": 4, "storage": 14,
		"sharing": 15, "hook": 16, "web": 2, "logging": 22, "reporting": 2, "inetdav": 14}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, a := range aliases {
		o := find(a.section, a.key)
		if o == nil || a.value != "" && check(o.kind, a.value) != "" {
			t.Errorf("alias %s", a.flag)
		}
	}
}

func TestLoadDefaults(t *testing.T) {
	c, rest, warnings, err := Load([]string{"--config", ""}, env())
	if err != nil || len(rest) > 0 || len(warnings) > 0 {
		t.Fatal(rest, warnings, err)
	}
	for _, c := range []*Config{c, new(Config)} {
		if c.String("auth", "type") != "denyall" || c.Bool("auth", "cache_logins") || !c.Bool("storage", "skip_broken_item") ||
			c.Int("server", "max_content_length") != 100_000_000 || c.Duration("storage", "max_sync_token_age") != 30*24*time.Hour ||
			c.Duration("auth", "delay") != time.Second || c.Path("storage", "filesystem_folder") != "/var/lib/radicale/collections" ||
			c.String("sharing", "conversion_bday_summary_template") != "[{n:f} {n:g}|{fn}|{nickname}] ({year}) (BDAY)" ||
			c.Source("auth", "type") != "default" {
			t.Error("defaults")
		}
		for range c.Headers() {
			t.Error("there are no headers")
		}
	}
}

func TestLoadFiles(t *testing.T) {
	first := write(t, "[auth]\ntype = htpasswd\nDelay: 0.5\n[server]\nmax_content_length = 1_000\ntimeout=1e3\n[headers]\nX-Frame-Options = DENY\nX-B: c\n")
	second := write(t, "[auth]\ntype = none\n[logging]\nlevel = notice\n[headers]\nx-b = d\n")
	c, _, warnings, err := Load([]string{"--config", first + ":?/does/not/exist:?" + first + "/not/a/folder", "--config=" + second}, env("RADICALE_CONFIG", "/not/read"))
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	if c.String("auth", "type") != "none" || c.Source("auth", "type") != second || c.Source("auth", "delay") != first ||
		c.Duration("auth", "delay") != 500*time.Millisecond || c.Int("server", "max_content_length") != 1000 ||
		c.Duration("server", "timeout") != 1000*time.Second || c.String("logging", "level") != "notice" {
		t.Errorf("%+v", c)
	}
	var headers []string
	for k, v := range c.Headers() {
		headers = append(headers, k+"="+v)
	}
	if want := []string{"x-frame-options=DENY", "x-b=d"}; !slices.Equal(headers, want) {
		t.Errorf("headers %q", headers)
	}

	c, _, _, err = Load(nil, env("RADICALE_CONFIG", second))
	if err != nil || c.Source("auth", "type") != second {
		t.Error("RADICALE_CONFIG", err)
	}
	home := t.TempDir()
	if err := os.MkdirAll(home+"/.config/radicale", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(home+"/.config/radicale/config", []byte("[storage]\nfilesystem_folder = ~/collections\n[rights]\nfile = rights\n[auth]\nhtpasswd_filename=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(home)
	c, _, _, err = Load([]string{"-C", "?~/.config/radicale/config"}, env("HOME", home))
	here, _ := os.Getwd()
	if err != nil || c.Path("storage", "filesystem_folder") != home+"/collections" ||
		c.Path("rights", "file") != filepath.Join(here, "rights") || c.Path("auth", "htpasswd_filename") != "" {
		t.Errorf("paths: %v %+v", err, c)
	}
}

func TestLoadDefaultSection(t *testing.T) {
	c, _, warnings, err := Load([]string{"--config", write(t, "[DEFAULT]\ntype = none\n[auth]\n[rights]\ntype=owner_write\n")}, env())
	if err != nil || len(warnings) > 0 || c.String("auth", "type") != "none" || c.String("rights", "type") != "owner_write" || c.String("web", "type") != "internal" {
		t.Error(warnings, err, c)
	}
}

func TestLoadWarnings(t *testing.T) {
	name := write(t, "[auth]\ntipe = none\n[sever]\na = b\nc = d\n[storage]\n_filesystem_fsync = false\n")
	c, _, warnings, err := Load([]string{"--config", name}, env())
	want := []string{name + ": unknown option [auth] tipe", name + ": unknown section [sever]", name + ": unknown option [storage] _filesystem_fsync"}
	if err != nil || !slices.Equal(warnings, want) || !c.Bool("storage", "_filesystem_fsync") {
		t.Errorf("%v %q", err, warnings)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"bool", "[auth]\nlc_username = maybe\n", `line 2: [auth] lc_username: "maybe" is not a boolean`},
		{"int", "[server]\nmax_connections = 1.5\n", "not a whole number"},
		{"hex", "[server]\nmax_connections = 0x10\n", "not a whole number"},
		{"underscore", "[server]\nmax_connections = 1__0\n", "not a whole number"},
		{"too large", "[server]\nmax_connections = 99999999999999999999\n", "not a whole number"},
		{"negative", "[server]\nmax_connections = -1\n", "at least 0"},
		{"negative seconds", "[auth]\ndelay = -0.5\n", "at least 0"},
		{"nan", "[auth]\ndelay = nan\n", "at least 0"},
		{"infinite", "[auth]\ndelay = 1e999\n", "at least 0"},
		{"level", "[logging]\nlevel = loud\n", "one of trace, debug"},
		{"hosts", "[server]\nhosts = localhost\n", "host:port"},
		{"letters", "[sharing]\ndefault_permissions_create_map = rx\n", "letters"},
		{"storage", "[storage]\ntype = radicale_storage_sql\n", "one of multifilesystem"},
		{"imap port", "[auth]\nimap_host = [::1]:imaps\n", "a host or host:port"},
		{"validate", "[server]\nvalidate_user_value = lax\n", "one of none"},
		{"home", "[storage]\nfilesystem_folder = ~nobody-of-this-name/x\n", "home folder"},
		{"syntax", "[auth\n", "line 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := write(t, test.in)
			_, _, _, err := Load([]string{"--config", name}, env())
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, _, _, err := Load([]string{"--config", "/does/not/exist"}, env()); err == nil {
		t.Error("a missing file")
	}
}

func TestArguments(t *testing.T) {
	base := []string{"--config", ""}
	for _, test := range []struct {
		args, rest []string
		key, value string
	}{
		{[]string{"--auth-type", "none"}, nil, "auth.type", "none"},
		{[]string{"--auth-type=none"}, nil, "auth.type", "none"},
		{[]string{"--auth-type="}, nil, "auth.type", ""},
		{[]string{"--auth-htpasswd-filename=/x"}, nil, "auth.htpasswd_filename", "/x"},
		{[]string{"--server-hosts", "a:1"}, nil, "server.hosts", "a:1"},
		{[]string{"-H", "a:1"}, nil, "server.hosts", "a:1"},
		{[]string{"-Ha:1"}, nil, "server.hosts", "a:1"},
		{[]string{"--hosts=a:1"}, nil, "server.hosts", "a:1"},
		{[]string{"-s"}, nil, "server.ssl", "True"},
		{[]string{"-S"}, nil, "server.ssl", "False"},
		{[]string{"--server-ssl"}, nil, "server.ssl", "True"},
		{[]string{"--server-ssl", "off", "verify"}, []string{"verify"}, "server.ssl", "off"},
		{[]string{"--server-ssl", "verify"}, []string{"verify"}, "server.ssl", "True"},
		{[]string{"--server-ssl=yes"}, nil, "server.ssl", "yes"},
		{[]string{"--no-storage-skip-broken-item"}, nil, "storage.skip_broken_item", "False"},
		{[]string{"-D"}, nil, "logging.level", "debug"},
		{[]string{"--auth-cache-failed-logins-expiry", "-5"}, nil, "auth.cache_failed_logins_expiry", "-5"},
		{[]string{"--inetdav-idle-timeout=1.5"}, nil, "inetdav.idle_timeout", "1.5"},
		{[]string{"verify", "--fix", "--auth-type", "none", "-x"}, []string{"verify", "--fix", "-x"}, "auth.type", "none"},
		{[]string{"--", "--auth-type", "none"}, []string{"--auth-type", "none"}, "auth.type", "denyall"},
		{[]string{"-", "--verify-storage"}, []string{"-", "--verify-storage"}, "auth.type", "denyall"},
		{[]string{"--auth_type=none", "--no-auth-type", "--auth", "--auth-typ=x"}, []string{"--auth_type=none", "--no-auth-type", "--auth", "--auth-typ=x"}, "auth.type", "denyall"},
		{[]string{"--server--internal-server"}, []string{"--server--internal-server"}, "auth.type", "denyall"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			c, rest, _, err := Load(slices.Concat(base, test.args), env())
			if err != nil {
				t.Fatal(err)
			}
			section, key, _ := strings.Cut(test.key, ".")
			if got := c.String(section, key); got != test.value || !slices.Equal(rest, test.rest) {
				t.Errorf("got %q, %q; want %q, %q", got, rest, test.value, test.rest)
			}
			if source := c.Source(section, key); test.value != "denyall" && source != "command line" {
				t.Errorf("source %q", source)
			}
		})
	}
	for _, args := range [][]string{
		{"--auth-type"}, {"--auth-type", "--server-ssl"}, {"--server-ssl=maybe"}, {"--no-server-ssl=yes"},
		{"--config"}, {"-H"}, {"--headers-x"}, {"--auth-delay=x"},
	} {
		if _, _, _, err := Load(slices.Concat(args), env()); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	c, _, _, err := Load([]string{"--headers-X-A=b=c", "--config="}, env())
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range c.Headers() {
		if k != "X-A" || v != "b=c" {
			t.Errorf("header %q %q", k, v)
		}
	}
}

func TestGettersGuardTypes(t *testing.T) {
	for name, f := range map[string]func(c *Config){
		"unknown": func(c *Config) { c.String("auth", "tipe") },
		"bool":    func(c *Config) { c.Bool("auth", "type") },
		"path":    func(c *Config) { c.Path("auth", "type") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f(new(Config))
		})
	}
}

func TestHome(t *testing.T) {
	if _, err := os.Stat("/etc/passwd"); err != nil {
		t.Skip("SKIPPED: no /etc/passwd")
	}
	l := loader{getenv: env()}
	if got, err := l.expand("~root/x"); err == nil && !strings.HasSuffix(got, "/x") {
		t.Errorf("~root/x is %q", got)
	}
	l.getenv = env("HOME", "/h")
	for in, want := range map[string]string{"~": "/h", "~/a/../b": "/h/b", "": "", "/a//b": "/a/b"} {
		if got, err := l.expand(in); got != want || err != nil {
			t.Errorf("%q is %q, %v; want %q", in, got, err, want)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	name := filepath.Join(b.TempDir(), "config")
	os.WriteFile(name, []byte("# Radicale\n[server]\nmax_connections = 20\n[auth]\ntype = htpasswd\nhtpasswd_filename = /etc/radicale/users\nhtpasswd_encryption = autodetect\n[storage]\nfilesystem_folder = /var/lib/radicale/collections\n[rights]\ntype = owner_only\n"), 0o600)
	b.ReportAllocs()
	for b.Loop() {
		c, _, _, err := Load([]string{"--config", name}, env())
		if err != nil {
			b.Fatal(err)
		}
		for range 40 {
			c.String("storage", "filesystem_folder")
		}
	}
}
