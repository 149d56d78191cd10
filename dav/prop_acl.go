package dav

import "inetdav/dav/davxml"

// propACL is RFC 3744, 4 and 5: what clients need to find their way and to know
// what they may do.
func propACL() []property {
	d := func(local string) davxml.Name { return davxml.Name{Space: davxml.DAV, Local: local} }
	return []property{
		{name: d("owner"), on: kAny, refs: ownerRef},
		{name: d("principal-URL"), on: kPrincipal, refs: principalRef},
		{name: d("principal-collection-set"), on: kAny, refs: rootRef},
		{name: d("current-user-privilege-set"), on: kAny, get: getCurrentUserPrivilegeSet},
		{name: d("group-member-set"), on: kPrincipal, get: getEmptyElement},
		{name: d("group-membership"), on: kPrincipal, get: getEmptyElement},
		{name: d("alternate-URI-set"), on: kPrincipal, get: getEmptyElement},
	}
}

// principalOf is the path of the principal whose home a resource is in, "" for
// the root.
func principalOf(path string) string {
	for i := range len(path) {
		if path[i] == '/' {
			return path[:i]
		}
	}
	return path
}

func ownerRef(_ *request, t *target) []string { return principalRef(nil, t) }

func principalRef(_ *request, t *target) []string {
	if p := principalOf(t.res.Path); p != "" {
		return []string{p + "/"}
	}
	return nil
}

func rootRef(*request, *target) []string { return []string{""} }

func getCurrentUserPrivilegeSet(q *request, t *target, o *propOut) error {
	o.elements(func(x *davxml.Writer) {
		for _, p := range q.privileges(t.res) {
			x.Start(nPrivilege)
			x.Empty(p)
			x.End(nPrivilege)
		}
	})
	return nil
}

func getEmptyElement(_ *request, _ *target, o *propOut) error {
	o.start()
	o.x.Empty(o.name)
	return nil
}
