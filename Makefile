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
# The same bytes from any folder, with git or without.
GOBUILD = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -tags '$(TAGS)' -ldflags '$(LDFLAGS)'

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

# The tests of doc/guarantees.txt that can go on for longer do, for some minutes.
torture:
	$(GO) test -count=1 -timeout 60m -v -run 'Crash|Killed|Faults|Failing|Histories|StoppedLock|Beside' . -args -long
	$(GO) test -count=1 -timeout 60m ./store -run 'Killed|Failing|Model|Concurrent'

# Whole connections, each beside a bare net/http handler, and other servers as far
# as they are installed, in at most 15 minutes; then the packages' own benchmarks.
# BENCHFLAGS=-short is for a quick look.
bench:
	$(GO) test -count=1 -timeout 60m -tags bench -run 'TestBench$$' -v $(BENCHFLAGS) .
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

# The packages' tests on other machines' processors, below qemu-user: GOARCH:variant of
# qemu. mips is the big-endian one. An architecture without its qemu is skipped by name.
CROSS_TESTS    ?= mips:mips mipsle:mipsel arm:arm arm64:aarch64
CROSS_PACKAGES ?= store store/object dav
# more for the tests, such as -test.skip
CROSS_FLAGS    ?=

test-cross: $(foreach t,$(CROSS_TESTS),test-cross-$(firstword $(subst :, ,$(t))))

$(foreach t,$(CROSS_TESTS),test-cross-$(firstword $(subst :, ,$(t)))): test-cross-%:
	@qemu=qemu-$(lastword $(subst :, ,$(filter $*:%,$(CROSS_TESTS)))); \
	runner=$$(command -v $$qemu-static || command -v $$qemu) || { echo "SKIPPED: no $$qemu, the tests do not run on $*"; exit 0; }; \
	mkdir -p build/cross && for package in $(CROSS_PACKAGES); do \
		program=$$PWD/build/cross/$$(echo $$package | tr / -)-$*.test; \
		GOOS=linux GOARCH=$* GOARM=5 GOMIPS=softfloat CGO_ENABLED=0 $(GO) test -c -vet=off -ldflags '-s -w' -o $$program ./$$package || exit 1; \
		echo "$* $$package"; \
		(cd $$package && INETDAV_TEST_RUNNER=$$runner $$runner $$program -test.short -test.timeout 15m $(CROSS_FLAGS)) || exit 1; \
		rm -f $$program; \
	done

# Puts the program's place into a unit or example.
SUBST = sed -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@LIBEXECDIR@|$(LIBEXECDIR)|g'

# Programs are replaced by rename: a connection that comes meanwhile gets the old
# one or the new one.
install: $(PROGRAM)
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBEXECDIR)' '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(SYSUSERS)' '$(DESTDIR)$(TMPFILES)' '$(DESTDIR)$(EXAMPLEDIR)'
	for program in '$(PROGRAM):$(BINDIR)/inetdav' $(foreach b,$(BESIDE),'$(dir $(PROGRAM))$(firstword $(subst :, ,$(b))):$(LIBEXECDIR)/$(firstword $(subst :, ,$(b)))'); do \
		to='$(DESTDIR)'"$${program#*:}"; \
		install -m 755 "$${program%%:*}" "$$to.new" && mv -f "$$to.new" "$$to" || exit 1; \
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
	for example in fast.conf unix.conf hook.conf auth.conf pam.conf radicale-s6.socket radicale-s6.service xinetd.conf inetd.conf tcpserver.sh tcpsvd.sh s6-run.sh socat.sh \
		stunnel.conf stunnel-proxy.conf nginx.conf Caddyfile haproxy.cfg org.inetdav.plist user/radicale.socket user/radicale@.service \
		podman/Containerfile podman/inetdav.container podman/inetdav.socket openwrt/Makefile openwrt/inetdav-uci openwrt/inetdav.init; do \
		install -d "$$(dirname '$(DESTDIR)$(EXAMPLEDIR)'/$$example)"; \
		$(SUBST) units/$$example >'$(DESTDIR)$(EXAMPLEDIR)'/$$example && chmod 644 '$(DESTDIR)$(EXAMPLEDIR)'/$$example || exit 1; \
	done

# Packages and tarballs are the same bytes wherever and whenever they are built from
# the same source, version and SOURCE_DATE_EPOCH.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
DEB_ARCH    ?= $(shell dpkg --print-architecture 2>/dev/null)
DEB_TARGET   = $(or $(filter-out :%,$(subst $(DEB_ARCH):,,$(filter $(DEB_ARCH):%, \
	amd64:linux/amd64 arm64:linux/arm64 i386:linux/386 armhf:linux/arm/7 armel:linux/arm/5 \
	riscv64:linux/riscv64 mipsel:linux/mipsle/softfloat mips:linux/mips/softfloat))),$(error no Debian architecture $(DEB_ARCH)))
# A version has to begin with a digit; without a tag it sorts before the first one.
DEB_VERSION ?= $(shell v=$$(echo '$(VERSION)' | sed 's/^v//; s/-/+/g'); \
	case $$v in ([0-9]*.*) echo "$$v";; (*) echo "0.0~git.$$v";; esac)
# Where tarballs are wanted: routers and small boxes.
DIST_TARGETS ?= $(filter linux/%,$(TARGETS))

# Builds for target $(1) (as in TARGETS) below build/stage/$(2), to be installed with
# the variables $(3), and installs.
define stage
	os=$(word 1,$(subst /, ,$(1))) arch=$(word 2,$(subst /, ,$(1))) variant=$(word 3,$(subst /, ,$(1))); \
	rm -rf 'build/stage/$(2)'; mkdir -p 'build/stage/$(2)'; umask 022; \
	GOOS=$$os GOARCH=$$arch GOARM=$$(case $$arch in arm) echo $$variant;; esac) GOMIPS=$$(case $$arch in mips*) echo $$variant;; esac) \
		$(MAKE) build 'VERSION=$(VERSION)' 'PROGRAM=build/stage/$(2)/programs/inetdav' $(3) && \
	$(MAKE) install 'VERSION=$(VERSION)' 'PROGRAM=build/stage/$(2)/programs/inetdav' 'DESTDIR=build/stage/$(2)/root' $(3)
endef

deb:
	@command -v dpkg-deb >/dev/null || { echo 'make deb needs dpkg-deb'; exit 1; }
	$(call stage,$(DEB_TARGET),deb-$(DEB_ARCH),PREFIX=/usr LIBEXECDIR=/usr/libexec/inetdav)
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) units/debian/build build/stage/deb-$(DEB_ARCH)/root build '$(DEB_VERSION)' '$(DEB_ARCH)'

# A tarball for each target, to be unpacked in /, and their checksums.
dist: $(addprefix dist-,$(subst /,-,$(DIST_TARGETS)))
	cd build/dist && sha256sum *.tar.gz >SHA256SUMS

$(addprefix dist-,$(subst /,-,$(TARGETS))): dist-%:
	$(call stage,$(subst -,/,$*),$@,PREFIX=/usr)
	mkdir -p build/dist 'build/stage/$@/root/usr/share/doc/inetdav'
	install -m 644 LICENSE README.md NEWS.md 'build/stage/$@/root/usr/share/doc/inetdav/'
	name=inetdav-$(VERSION)-$*.tar; \
	LC_ALL=C tar --sort=name --mtime='@$(SOURCE_DATE_EPOCH)' --owner=0 --group=0 --numeric-owner --mode=u+rwX,go=u-w --format=ustar \
		-C 'build/stage/$@/root' -cf "build/dist/$$name" usr && gzip -9nf "build/dist/$$name"

clean:
	rm -rf $(PROGRAM) build $(foreach beside,$(BESIDE),$(dir $(PROGRAM))$(firstword $(subst :, ,$(beside))))

.PHONY: all build run test torture check bench cross test-cross install deb dist clean
