#!/bin/sh
# socat, to try things out, started as root: su= gives the connection to the user
# whose the storage folder is, nofork hands over the connection itself.
umask 027
exec socat TCP-LISTEN:5232,bind=127.0.0.1,reuseaddr,fork,max-children=40,su=radicale \
	EXEC:'@BINDIR@/inetdav --inetdav-log=stderr',nofork
