#!/bin/sh
# socat, to try things out; nofork hands over the connection itself.
exec socat TCP-LISTEN:5232,bind=127.0.0.1,reuseaddr,fork,max-children=40 \
	EXEC:'@BINDIR@/inetdav --inetdav-log=stderr',nofork
