package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"inetdav/dav/access/question"
)

// patience is how long a daemon may take to start.
const patience = 20 * time.Second

// daemon starts a program and waits until it listens; it ends with the test.
func daemon(t *testing.T, network, address string, argv ...string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
		if t.Failed() {
			t.Logf("%s: %s", argv[0], log.String())
		}
	})
	for deadline := time.Now().Add(patience); ; {
		c, err := net.Dial(network, address)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended: %s", argv[0], log.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %v", argv[0], err)
		}
	}
}

func need(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin") {
		if path := filepath.Join(dir, name); dir != "" {
			if info, err := os.Stat(path); err == nil && !info.IsDir() {
				return path
			}
		}
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// makeCertificate makes a certificate for 127.0.0.1 and localhost, which is its
// own authority.
func makeCertificate(dir string) (cert, key string, err error) {
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return "", "", err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	err = os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	if err == nil {
		err = os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600)
	}
	return cert, key, err
}

func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	cert, key, err := makeCertificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// systemCert is the one authority of the system, as this process sees it.
var systemCert, systemKey string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "inetdav-test-")
	if err == nil {
		systemCert, systemKey, err = makeCertificate(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("SSL_CERT_FILE", systemCert)
	os.Setenv("SSL_CERT_DIR", "/nonexistent")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func none(string) string { return "" }

// say gives the answer in one line: "yes user group,group", "no" or "later".
func say(args []string, user, password string) (line, reason string) {
	a, err := verify(append([]string{"--config="}, args...), none, question.Question{User: user, Password: password, Address: "192.0.2.1"})
	switch {
	case err != nil:
		return "later", err.Error()
	case a.Verdict != question.Yes:
		return string(a.Verdict), a.Reason
	}
	return strings.TrimSpace("yes " + a.User + " " + strings.Join(a.Groups, ",")), ""
}

type ask struct {
	args           []string
	user, password string
	want           string
}

func asks(t *testing.T, kind string, list []ask) {
	t.Helper()
	for _, test := range list {
		if got, reason := say(append([]string{"--auth-type=" + kind}, test.args...), test.user, test.password); got != test.want {
			t.Errorf("%q %q, %q: got %q (%s), want %q", test.args, test.user, test.password, got, reason, test.want)
		}
	}
}

const ldif = `dn: dc=test
objectClass: dcObject
objectClass: organization
o: test
dc: test

dn: cn=reader,dc=test
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: readersecret

dn: uid=alice,dc=test
objectClass: inetOrgPerson
uid: alice
cn: Alice (A*)
sn: A
mail: alice@example.org
title: cn=family,ou=groups,dc=test
title: plain
userPassword: secret

dn: uid=bob,dc=test
objectClass: inetOrgPerson
uid: bob
cn: twin
sn: B
userPassword: secret

dn: uid=bob2,dc=test
objectClass: inetOrgPerson
uid: bob2
cn: twin
sn: B
userPassword: secret

dn: cn=staff,dc=test
objectClass: groupOfNames
cn: staff
member: uid=alice,dc=test
member: uid=bob,dc=test

dn: cn=chess\, and more,dc=test
objectClass: groupOfNames
cn: chess, and more
member: uid=alice,dc=test
`

func TestLDAP(t *testing.T) {
	slapd, slapadd := need(t, "slapd"), need(t, "slapadd")
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	os.Mkdir(filepath.Join(dir, "db"), 0o700)
	conf := write(t, filepath.Join(dir, "slapd.conf"), fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile %[1]s/pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile %[2]s
TLSCertificateKeyFile %[3]s
database mdb
suffix dc=test
directory %[1]s/db
access to attrs=userPassword by anonymous auth
access to * by dn.exact=cn=reader,dc=test read
`, dir, cert, key))
	load := exec.Command(slapadd, "-f", conf, "-l", write(t, filepath.Join(dir, "ldif"), ldif))
	if out, err := load.CombinedOutput(); err != nil {
		t.Skipf("slapadd: %v: %s", err, out)
	}
	plain, secure, local := freeAddress(t), freeAddress(t), filepath.Join(dir, "ldapi")
	daemon(t, "tcp", plain, slapd, "-d", "0", "-f", conf, "-h",
		"ldap://"+plain+" ldaps://"+secure+" ldapi://"+strings.ReplaceAll(local, "/", "%2F"))

	with := func(more ...string) []string {
		return append([]string{"--auth-ldap-uri=ldap://" + plain, "--auth-ldap-base=dc=test", "--auth-ldap-reader-dn=cn=reader,dc=test",
			"--auth-ldap-secret=readersecret", "--auth-ldap-filter=(uid={0})"}, more...)
	}
	secret := write(t, filepath.Join(dir, "secret"), "readersecret\n")
	other, _ := certificate(t, t.TempDir())
	asks(t, "ldap", []ask{
		{with(), "alice", "secret", "yes alice"},
		{with(), "alice", "wrong", "no"},
		{with(), "alice", "", "no"},
		{with(), "nobody", "secret", "no"},
		{with(), "*", "secret", "no"},
		{with(), "alice)(uid=*", "secret", "no"},
		{with("--auth-ldap-filter=(cn={0})"), "twin", "secret", "no"},
		{with("--auth-ldap-filter=(cn={0})"), "Alice (A*)", "secret", "yes Alice (A*)"},
		{with("--auth-ldap-filter=(|(uid={0})(mail={0}))", "--auth-ldap-user-attribute=uid"), "alice@example.org", "secret", "yes alice"},
		{with("--auth-ldap-user-attribute=mobile"), "alice", "secret", "no"},
		{with("--auth-ldap-groups-attribute=title"), "alice", "secret", "yes alice family,plain"},
		{with("--auth-ldap-group-base=dc=test", "--auth-ldap-group-members-attribute=member"), "alice", "secret", "yes alice staff,chess, and more"},
		{with("--auth-ldap-group-base=dc=test", "--auth-ldap-group-members-attribute=member", "--auth-ldap-group-filter=(cn=staff)"), "alice", "secret", "yes alice staff"},
		{with("--auth-ldap-secret-file="+secret, "--auth-ldap-secret="), "alice", "secret", "yes alice"},
		{with("--auth-ldap-secret=wrong"), "alice", "secret", "later"},
		{with("--auth-ldap-filter=(uid={0}"), "alice", "secret", "later"},
		{with("--auth-ldap-uri=ldap://127.0.0.1:1"), "alice", "secret", "later"},
		{with("--auth-ldap-uri=http://" + plain), "alice", "secret", "later"},
		{with("--auth-ldap-uri=ldapi://" + strings.ReplaceAll(local, "/", "%2F")), "alice", "secret", "yes alice"},
		// TLS
		{with("--auth-ldap-uri=ldaps://"+secure, "--auth-ldap-ssl-ca-file="+cert), "alice", "secret", "yes alice"},
		{with("--auth-ldap-uri=ldaps://"+secure, "--auth-ldap-ssl-ca-file="+cert), "alice", "wrong", "no"},
		{with("--auth-ldap-uri=ldap://"+secure, "--auth-ldap-security=tls", "--auth-ldap-ssl-ca-file="+cert), "alice", "secret", "yes alice"},
		{with("--auth-ldap-security=starttls", "--auth-ldap-ssl-ca-file="+cert), "alice", "secret", "yes alice"},
		{with("--auth-ldap-security=starttls", "--auth-ldap-ssl-ca-file="+other), "alice", "secret", "later"},
		{with("--auth-ldap-uri=ldaps://" + secure), "alice", "secret", "later"},
		{with("--auth-ldap-uri=ldaps://"+secure, "--auth-ldap-ssl-verify-mode=NONE"), "alice", "secret", "yes alice"},
		{with("--auth-ldap-uri=ldaps://"+secure, "--auth-ldap-ssl-verify-mode=OPTIONAL"), "alice", "secret", "later"},
		{with("--auth-ldap-uri=ldaps://"+secure, "--auth-ldap-ssl-verify-mode=OPTIONAL", "--auth-ldap-ssl-ca-file="+cert), "alice", "secret", "yes alice"},
		{with("--auth-ldap-security=STARTTLS"), "alice", "secret", "later"},
	})
}

// Dovecot is asked on its authentication socket and as an IMAP server.
func TestDovecot(t *testing.T) {
	dovecot := need(t, "dovecot")
	if os.Geteuid() != 0 {
		t.Skip("dovecot needs root")
	}
	dir, err := os.MkdirTemp("/tmp", "dovecot") // short enough for its sockets, and open to its users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	users := write(t, dir+"/users", "alice:{PLAIN}secret\nbob@example.org:{PLAIN}se\"cret\n")
	os.Chmod(users, 0o644)
	plain, secure := freeAddress(t), freeAddress(t)
	port := func(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
	conf := write(t, dir+"/dovecot.conf", fmt.Sprintf(`protocols = imap
base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = %[1]s/log
listen = 127.0.0.1
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
ssl = yes
ssl_cert = <%[2]s
ssl_key = <%[3]s
passdb {
  driver = passwd-file
  args = %[1]s/users
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=%[1]s/home
}
service imap-login {
  inet_listener imap {
    port = %[4]s
  }
  inet_listener imaps {
    port = %[5]s
  }
}
service auth {
  unix_listener %[1]s/auth {
    mode = 0600
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`, dir, systemCert, systemKey, port(plain), port(secure)))
	// It listens there last.
	daemon(t, "unix", dir+"/auth", dovecot, "-F", "-c", conf)

	socket := "--auth-dovecot-socket=" + dir + "/auth"
	asks(t, "dovecot", []ask{
		{[]string{socket}, "alice", "secret", "yes alice"},
		{[]string{socket}, "alice", "wrong", "no"},
		{[]string{socket}, "alice", "", "no"},
		{[]string{socket}, "nobody", "secret", "no"},
		{[]string{socket}, "bob@example.org", "se\"cret", "yes bob@example.org"},
		{[]string{"--auth-dovecot-socket=/nonexistent"}, "alice", "secret", "later"},
		{[]string{"--auth-dovecot-connection-type=AF_INET", "--auth-dovecot-host=127.0.0.1", "--auth-dovecot-port=1"}, "alice", "secret", "later"},
		{[]string{"--auth-dovecot-connection-type=AF_X25"}, "alice", "secret", "later"},
	})

	clear := []string{"--auth-imap-host=" + plain, "--auth-imap-security=none"}
	asks(t, "imap", []ask{
		{clear, "alice", "secret", "yes alice"},
		{clear, "alice", "wrong", "no"},
		{clear, "nobody", "secret", "no"},
		{clear, "bob@example.org", "se\"cret", "yes bob@example.org"},
		{append(clear, "--auth-imap-append-domain=example.org"), "bob", "se\"cret", "yes bob"},
		{[]string{"--auth-imap-host=" + secure, "--auth-imap-security=tls"}, "alice", "secret", "yes alice"},
		{[]string{"--auth-imap-host=" + secure, "--auth-imap-security=tls"}, "alice", "wrong", "no"},
		{[]string{"--auth-imap-host=" + plain, "--auth-imap-security=starttls"}, "alice", "secret", "yes alice"},
		{[]string{"--auth-imap-host=" + plain, "--auth-imap-security=tls"}, "alice", "secret", "later"},
		// In any case of letters, the password is not sent in the clear.
		{[]string{"--auth-imap-host=" + plain, "--auth-imap-security=TLS"}, "alice", "secret", "later"},
		{[]string{"--auth-imap-host=" + plain, "--auth-imap-security=StartTLS"}, "alice", "secret", "yes alice"},
		{[]string{"--auth-imap-host=" + secure, "--auth-imap-security=TLS"}, "alice", "secret", "yes alice"},
		{[]string{"--auth-imap-host=127.0.0.1:1", "--auth-imap-security=none"}, "alice", "secret", "later"},
	})
}

func TestOAuth2(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		reply := func(status int, body string) { w.WriteHeader(status); w.Write([]byte(body)) }
		switch {
		case r.Method != "POST" || len(r.URL.RawQuery) > 0 || r.PostForm.Get("grant_type") != "password":
			reply(500, "")
		case r.PostForm.Get("client_secret") != "s":
			reply(401, `{"error":"invalid_client"}`)
		case r.URL.Path == "/elsewhere":
			reply(200, `{"access_token":"stolen"}`)
		case r.PostForm.Get("username") == "broken":
			reply(200, `{"token_type":"bearer"}`)
		case r.PostForm.Get("username") == "moved":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case r.PostForm.Get("username") == "alice" && r.PostForm.Get("password") == "se&cret":
			reply(200, `{"access_token":"abc","token_type":"bearer"}`)
		default:
			reply(400, `{"error":"invalid_grant"}`)
		}
	}))
	defer server.Close()
	args := []string{"--auth-oauth2-token-endpoint=" + server.URL, "--auth-oauth2-client-secret=s"}
	asks(t, "oauth2", []ask{
		{args, "alice", "se&cret", "yes alice"},
		{args, "alice", "wrong", "no"},
		{args, "broken", "x", "later"},
		{args, "moved", "x", "later"},
		{args[:1], "alice", "se&cret", "later"},
		{nil, "alice", "secret", "later"},
		{[]string{"--auth-oauth2-token-endpoint=http://127.0.0.1:1"}, "alice", "secret", "later"},
	})
}

// checker is a checkpassword program in shell.
const checker = `#!/bin/sh
exec 0<&3
read=$(tr '\0' '|')
case $read in
"alice|secret|Y"*"|") shift $(($#-1)); exec "$1";;
"busy|"*) echo come later >&2; exit 111;;
*) exit 1;;
esac
`

func TestCheckpassword(t *testing.T) {
	program := filepath.Join(t.TempDir(), "check")
	write(t, program, checker)
	os.Chmod(program, 0o700)
	args := []string{"--inetdav-checkpassword=" + program + " -x true"}
	asks(t, "checkpassword", []ask{
		{args, "alice", "secret", "yes alice"},
		{args, "alice", "wrong", "no"},
		{args, "busy", "secret", "later"},
		{args, "alice", strings.Repeat("x", maxCheckpassword), "no"},
		{[]string{"--inetdav-checkpassword=" + program + " false"}, "alice", "secret", "no"},
		{[]string{"--inetdav-checkpassword=/nonexistent"}, "alice", "secret", "later"},
		{nil, "alice", "secret", "later"},
	})
	// A program that hangs is ended.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := checkpassword(ctx, []string{"sleep", "1000"}, question.Question{User: "u", Password: "p"}); err == nil {
		t.Error("no error of a program that hangs")
	}
}

// PAM itself, by pamtester, with a service that reads a file of passwords.
func TestPAM(t *testing.T) {
	need(t, "pamtester")
	if os.Geteuid() != 0 {
		t.Skip("a service of PAM needs root")
	}
	modules, _ := filepath.Glob("/lib/*/security/pam_pwdfile.so")
	if len(modules) == 0 {
		t.Skip("libpam-pwdfile is not installed")
	}
	dir := t.TempDir()
	hash, err := exec.Command("openssl", "passwd", "-6", "secret").Output()
	if err != nil {
		t.Skip("openssl is not installed")
	}
	file := write(t, dir+"/passwd", "root:"+string(hash)+"daemon:"+string(hash))
	const service = "inetdav-test"
	conf := "/etc/pam.d/" + service
	write(t, conf, "auth required "+modules[0]+" pwdfile="+file+"\naccount required pam_permit.so\n")
	t.Cleanup(func() { os.Remove(conf) })
	args := []string{"--auth-pam-service=" + service}
	if _, err := exec.LookPath("checkpassword-pam"); err == nil {
		t.Log("with checkpassword-pam")
	}
	groups, err := exec.Command("id", "-Gn", "daemon").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "yes daemon " + strings.Join(strings.Fields(string(groups)), ",")
	asks(t, "pam", []ask{
		{args, "daemon", "secret", want},
		{args, "daemon", "wrong", "no"},
		{args, "daemon", "", "no"},
		{args, "no-such-user-here", "secret", "no"},
		{args, "-v", "secret", "no"},
		{append(args, "--auth-pam-group-membership=daemon"), "daemon", "secret", want},
		{append(args, "--auth-pam-group-membership=other"), "daemon", "secret", "no"},
	})
	// Without a program, the answer says what is missing.
	bin := t.TempDir()
	os.Symlink(need(t, "id"), bin+"/id")
	t.Setenv("PATH", bin)
	if got, reason := say(append([]string{"--auth-type=pam"}, args...), "daemon", "secret"); got != "later" || !strings.Contains(reason, "pamtester") {
		t.Error(got, reason)
	}
}

func TestRun(t *testing.T) {
	var in, out, log bytes.Buffer
	question.Question{User: "alice", Password: "secret"}.Write(&in)
	if code := run([]string{"--config=", "--auth-type=htpasswd"}, none, &in, &out, &log); code != 0 {
		t.Errorf("ended with %d: %s", code, log.String())
	}
	if a, err := question.ReadAnswer(&out); err != nil || a.Verdict != question.Later || !strings.Contains(a.Reason, "htpasswd needs no helper") {
		t.Errorf("got %+v, %v", a, err)
	}
	if code := run(nil, none, strings.NewReader("GET / HTTP/1.1\r\n\r\n"), &out, &log); code == 0 || out.Len() > 0 {
		t.Errorf("no question: %d, %q", code, out.String())
	}
}

// The serving program links none of what the helper is for.
func TestServerLinks(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "inetdav").Output()
	if err != nil {
		t.Skip("go is not installed: ", err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "inetdav/dav/access/question") {
		t.Fatalf("that is not the program: %q", deps)
	}
	for _, dep := range deps {
		for _, bad := range []string{"ldap", "imap", "sasl", "asn1-ber", "google/uuid", "os/exec", "encoding/json", "inetdav/dav/access/helper"} {
			if strings.Contains(dep, bad) {
				t.Errorf("the serving program imports %s", dep)
			}
		}
	}
}
