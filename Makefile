# inetdav: build, try, test, install. Needs Go 1.26 and make; the tests use more
# where it is installed (see .ci/run).

PREFIX     ?= /usr/local
DESTDIR    ?=
BINDIR     ?= $(PREFIX)/bin
LIBEXECDIR ?= $(BINDIR)
MANDIR     ?= $(PREFIX)/share/man
EXAMPLEDIR ?= $(PREFIX)/share/doc/inetdav/examples
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSUSERS   ?= $(PREFIX)/lib/sysusers.d
TMPFILES   ?= $(PREFIX)/lib/tmpfiles.d

GO      ?= go
PROGRAM ?= inetdav
# Programs that inetdav runs when one of its commands needs them, so that
# serving does not carry them: name:package. inetdav looks for them in its own
# folder, in LIBEXECDIR and in PATH.
BESIDE  = inetdav-import:./dav/importer inetdav-auth-helper:./dav/access/helper
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

# Static, without HTTP/2 (one connection has no use for it, and it costs
# instructions at every start), not position independent (that costs page
# faults at every start).
TAGS    = nethttpomithttp2
LDFLAGS = -s -w -X main.version=$(VERSION) -X main.libexecDir=$(LIBEXECDIR)
GOBUILD = CGO_ENABLED=0 $(GO) build -trimpath -tags '$(TAGS)' -ldflags '$(LDFLAGS)'

all: build

# The programs beside go where $(PROGRAM) goes.
build:
	$(GOBUILD) -o $(PROGRAM) .
	for beside in $(BESIDE); do \
		$(GOBUILD) -o '$(dir $(PROGRAM))'$${beside%%:*} $${beside#*:} || exit 1; \
	done

# For install: a program that is there is taken as it is, so that root needs
# neither Go nor to write here.
$(PROGRAM):
	$(MAKE) build

# Builds, makes a folder with a calendar and an address book, and serves it
# below the first super-server that this machine has.
run: build
	INETDAV=$(PROGRAM) units/try

test: check
	$(GO) test -timeout 20m ./...

check:
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "gofmt wants changes in:"; echo "$$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags bench .

# Whole connections, each beside a bare net/http handler, then the packages'
# own benchmarks.
bench:
	$(GO) test -count=1 -timeout 60m -tags bench -run TestBench -v .
	$(GO) test -run '^$$' -bench . -benchmem ./store/... ./dav/...

# os/arch/variant of all targets.
TARGETS = linux/amd64 linux/arm64 linux/386 linux/riscv64 \
	linux/mips/softfloat linux/mipsle/softfloat linux/arm/5 linux/arm/7 \
	darwin/amd64 darwin/arm64 freebsd/amd64 freebsd/arm64 openbsd/amd64 openbsd/arm64

cross:
	@mkdir -p build
	@set -e; for target in $(TARGETS); do \
		os=$${target%%/*}; rest=$${target#*/}; arch=$${rest%%/*}; variant=$${rest#$$arch}; variant=$${variant#/}; \
		arm=; mips=; case $$arch in arm) arm=$$variant;; mips*) mips=$$variant;; esac; \
		for program in inetdav:. $(BESIDE); do \
			out=build/$${program%%:*}-$$os-$$arch$$variant; \
			env GOOS=$$os GOARCH=$$arch GOARM=$$arm GOMIPS=$$mips $(GOBUILD) -o $$out $${program#*:}; \
			ls -l $$out | awk '{ print $$5, $$NF }'; \
		done; \
	done

# Puts the program's place into a unit or example.
SUBST = sed -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@LIBEXECDIR@|$(LIBEXECDIR)|g'

install: $(PROGRAM)
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBEXECDIR)' '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(SYSUSERS)' '$(DESTDIR)$(TMPFILES)' '$(DESTDIR)$(EXAMPLEDIR)'
	install -m 755 '$(PROGRAM)' '$(DESTDIR)$(BINDIR)/inetdav'
	for beside in $(BESIDE); do \
		install -m 755 '$(dir $(PROGRAM))'$${beside%%:*} '$(DESTDIR)$(LIBEXECDIR)/' || exit 1; \
	done
	for n in 1 5 8; do for page in doc/*.$$n; do \
		[ -f "$$page" ] || continue; \
		install -d '$(DESTDIR)$(MANDIR)'/man$$n; \
		install -m 644 "$$page" '$(DESTDIR)$(MANDIR)'/man$$n/; \
	done; done
	for unit in radicale.socket radicale@.service radicale.slice inetdav-auth.socket inetdav-auth@.service; do \
		$(SUBST) units/$$unit >'$(DESTDIR)$(UNITDIR)'/$$unit && chmod 644 '$(DESTDIR)$(UNITDIR)'/$$unit || exit 1; \
	done
	install -m 644 units/radicale.sysusers.conf '$(DESTDIR)$(SYSUSERS)/inetdav.conf'
	install -m 644 units/radicale.tmpfiles.conf '$(DESTDIR)$(TMPFILES)/inetdav.conf'
	for example in fast.conf unix.conf hook.conf auth.conf pam.conf radicale-s6.socket radicale-s6.service xinetd.conf inetd.conf tcpserver.sh s6-run.sh socat.sh; do \
		$(SUBST) units/$$example >'$(DESTDIR)$(EXAMPLEDIR)'/$$example && chmod 644 '$(DESTDIR)$(EXAMPLEDIR)'/$$example || exit 1; \
	done

clean:
	rm -rf $(PROGRAM) build $(foreach beside,$(BESIDE),$(dir $(PROGRAM))$(firstword $(subst :, ,$(beside))))

.PHONY: all build run test check bench cross install clean
