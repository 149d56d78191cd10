package dav

import (
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"inetdav/dav/access"
	"inetdav/dav/davxml"
	"inetdav/store"
)

// The access control of RFC 3744 is a view of the rights: it can be read, and
// the administrator alone changes what it shows. Each folder below the root is
// a principal, with itself as its home; no principal is a group. The root is the
// one principal collection.

// propACL is RFC 3744, 4 and 5, and what clients ask for of caldav-proxy.
func propACL() []property {
	d := func(local string) davxml.Name { return davxml.Name{Space: davxml.DAV, Local: local} }
	cs := func(local string) davxml.Name { return davxml.Name{Space: davxml.CS, Local: local} }
	return []property{
		{name: nOwner, on: kAny, refs: ownerRef},
		{name: d("group"), on: kAny, refs: noRefs},
		{name: d("principal-URL"), on: kPrincipal, refs: principalRef},
		{name: d("principal-collection-set"), on: kAny, refs: rootRef},
		{name: d("supported-privilege-set"), on: kAny, get: getSupportedPrivilegeSet},
		{name: d("current-user-privilege-set"), on: kAny, get: getCurrentUserPrivilegeSet},
		{name: nACL, on: kAny, get: getACL},
		{name: d("acl-restrictions"), on: kAny, get: getACLRestrictions},
		// Radicale looks at the letters of one path alone: RFC 3744, 5.7 would
		// have the privileges on these resources ANDed.
		{name: d("inherited-acl-set"), on: kAny, refs: noRefs},
		{name: d("group-member-set"), on: kPrincipal, refs: noRefs},
		{name: d("group-membership"), on: kPrincipal, refs: noRefs},
		{name: d("alternate-URI-set"), on: kPrincipal, refs: noRefs},
		{name: nEmailAddressSet, on: kPrincipal, get: getEmailAddressSet},
		{name: cs("calendar-proxy-read-for"), on: kPrincipal, refs: proxyRefs(false)},
		{name: cs("calendar-proxy-write-for"), on: kPrincipal, refs: proxyRefs(true)},
	}
}

// ownerOf is the path of the principal whose home a resource is in. It is "" for
// the root, and for what lies below it and is no principal.
func ownerOf(r store.Resource) string {
	p, rest, below := strings.Cut(r.Path, "/")
	switch k := kindOf(r); {
	case !below && k != kPrincipal:
		return ""
	case k&(kCalObject|kCardObject) != 0 && !strings.Contains(rest, "/"):
		return "" // in a calendar or address book just below the root
	}
	return p
}

func ownerRef(_ *request, t *target) []string {
	if p := ownerOf(t.res); p != "" {
		return []string{p + "/"}
	}
	return noRefs(nil, nil)
}

// principalRef is the principal that a target is.
func principalRef(_ *request, t *target) []string { return []string{t.res.Path + "/"} }

func rootRef(*request, *target) []string { return []string{""} }

// noRefs is the value of a property that is always empty.
func noRefs(*request, *target) []string { return []string{} }

// The privileges of RFC 3744, 3, and CALDAV:read-free-busy (RFC 4791, 6.1.1).
// There is no DAV:write-acl: nobody can be given it.
var (
	privilegeAll             = davxml.Name{Space: davxml.DAV, Local: "all"}
	privilegeRead            = davxml.Name{Space: davxml.DAV, Local: "read"}
	privilegeReadACL         = davxml.Name{Space: davxml.DAV, Local: "read-acl"}
	privilegeReadPrivileges  = davxml.Name{Space: davxml.DAV, Local: "read-current-user-privilege-set"}
	privilegeReadFreeBusy    = davxml.Name{Space: davxml.CalDAV, Local: "read-free-busy"}
	privilegeWrite           = davxml.Name{Space: davxml.DAV, Local: "write"}
	privilegeWriteProperties = davxml.Name{Space: davxml.DAV, Local: "write-properties"}
	privilegeWriteContent    = davxml.Name{Space: davxml.DAV, Local: "write-content"}
	privilegeBind            = davxml.Name{Space: davxml.DAV, Local: "bind"}
	privilegeUnbind          = davxml.Name{Space: davxml.DAV, Local: "unbind"}
	privilegeUnlock          = davxml.Name{Space: davxml.DAV, Local: "unlock"}
)

// privilege is a node of the tree of privileges (RFC 3744, 5.3).
type privilege struct {
	name        davxml.Name
	description string // in English
	in          []privilege
}

// privilegesOn is the tree of the privileges that a kind of resource has.
// DAV:bind and DAV:unbind belong into DAV:write (RFC 3744, 3.12) also where they
// have no effect.
func privilegesOn(k kind) privilege {
	read := privilege{privilegeRead, "Read the resource and its properties", []privilege{
		{name: privilegeReadACL, description: "Read who has which privileges"},
		{name: privilegeReadPrivileges, description: "Read the own privileges"},
	}}
	if k&(kAddressbook|kCardObject|kFile) == 0 {
		read.in = append(read.in, privilege{name: privilegeReadFreeBusy, description: "Read when somebody is busy"})
	}
	all := privilege{privilegeAll, "Do anything", []privilege{
		read,
		{privilegeWrite, "Change the resource and its properties", []privilege{
			{name: privilegeWriteProperties, description: "Change properties"},
			{name: privilegeWriteContent, description: "Change the content"},
			{name: privilegeBind, description: "Add members"},
			{name: privilegeUnbind, description: "Remove members"},
		}},
	}}
	if k != kRoot {
		all.in = append(all.in, privilege{name: privilegeUnlock, description: "Remove the locks of others"})
	}
	return all
}

// granted are the largest privileges that a user has. All but one come from the
// rights; the locks of others are the owner's to remove, if he can see them.
func (h *handler) granted(user string, r store.Resource) []privilege {
	all := privilegesOn(kindOf(r))
	var list []privilege
	for _, p := range all.in {
		switch p.name {
		case privilegeRead:
			if !h.permits(user, r, mayRead) {
				continue
			}
		case privilegeWrite:
			if !h.permits(user, r, mayWrite) {
				continue
			}
		case privilegeUnlock:
			if user == "" || ownerOf(r) != user || !h.permits(user, r, mayRead) {
				continue
			}
		}
		list = append(list, p)
	}
	if len(list) == len(all.in) {
		return []privilege{all}
	}
	return list
}

func writePrivilege(x *davxml.Writer, name davxml.Name) {
	x.Start(nPrivilege)
	x.Empty(name)
	x.End(nPrivilege)
}

// writeDescription writes text for people, in a language that must be named
// (RFC 3744, 5.3 and 9.5). There is one alone.
func writeDescription(x *davxml.Writer, text string) {
	x.Start(nDescription, davxml.Attr{Name: nXMLLang, Value: "en"})
	x.Text(text)
	x.End(nDescription)
}

func getSupportedPrivilegeSet(_ *request, t *target, o *propOut) error {
	var write func(p privilege)
	write = func(p privilege) {
		o.x.Start(nSupportedPrivilege)
		writePrivilege(o.x, p.name)
		writeDescription(o.x, p.description)
		for _, p := range p.in {
			write(p)
		}
		o.x.End(nSupportedPrivilege)
	}
	o.elements(func(*davxml.Writer) { write(privilegesOn(t.kind())) })
	return nil
}

// getCurrentUserPrivilegeSet lists aggregate privileges and what is in them
// (RFC 3744, 5.4).
func getCurrentUserPrivilegeSet(q *request, t *target, o *propOut) error {
	var write func(in []privilege)
	write = func(in []privilege) {
		for _, p := range in {
			writePrivilege(o.x, p.name)
			write(p.in)
		}
	}
	o.elements(func(*davxml.Writer) { write(q.h.granted(q.user, t.res)) })
	return nil
}

// ace is an access control entry: what the rights give to one user.
type ace struct {
	user   string // "" stands for DAV:unauthenticated
	grants []privilege
}

// aces are those of the entries that the current user may see (RFC 3744, 8.1
// lets there be more): the owner's, the user's own, and that of who has not
// logged in. What a rights file gives to others, its patterns do not tell.
func (q *request) aces(r store.Resource) []ace {
	var list []ace
	add := func(user string) {
		if slices.ContainsFunc(list, func(a ace) bool { return a.user == user }) {
			return
		}
		if grants := q.h.granted(user, r); len(grants) > 0 {
			list = append(list, ace{user, grants})
		}
	}
	if owner := ownerOf(r); owner != "" {
		add(owner)
	}
	add(q.user)
	add("")
	return list
}

// getACL is RFC 3744, 5.5. All entries are protected, since no request changes
// them; those of an object are its collection's.
func getACL(q *request, t *target, o *propOut) error {
	o.elements(func(x *davxml.Writer) {
		for _, a := range q.aces(t.res) {
			x.Start(nACE)
			x.Start(nPrincipal)
			if a.user == "" {
				x.Empty(nUnauthenticated)
			} else {
				x.Href(q.collectionHref(a.user))
			}
			x.End(nPrincipal)
			x.Start(nGrant)
			for _, p := range a.grants {
				writePrivilege(x, p.name)
			}
			x.End(nGrant)
			x.Empty(nProtected)
			if t.kind()&kObject != 0 {
				x.Start(nInherited)
				x.Href(q.collectionHref(parent(t.res.Path)))
				x.End(nInherited)
			}
			x.End(nACE)
		}
	})
	return nil
}

func getACLRestrictions(_ *request, _ *target, o *propOut) error {
	o.elements(func(x *davxml.Writer) {
		x.Empty(nGrantOnly)
		x.Empty(nNoInvert)
	})
	return nil
}

// emails are the mail addresses of a principal: his name, where it is one.
func emails(principal string) []string {
	if strings.Contains(principal, "@") {
		return []string{principal}
	}
	return nil
}

// getEmailAddressSet is CS:email-address-set, by which Apple's clients know who
// of an event's attendees the user is.
func getEmailAddressSet(_ *request, t *target, o *propOut) error {
	o.elements(func(x *davxml.Writer) {
		for _, a := range emails(t.res.Path) {
			x.Element(nEmailAddress, a)
		}
	})
	return nil
}

// principal is the principal with a name, where there is one that the user may
// read. Whether there is one that he may not, he is not told.
func (q *request) principal(name string) (r store.Resource, ok bool, err error) {
	// rights first: they cost less, and a folder may be anybody's
	if name == "" || !q.allowed(store.Resource{Path: name, Kind: store.Plain}, mayRead) {
		return r, false, nil
	}
	if name == access.GroupFolder && q.h.auth.Groups.In() {
		return r, false, nil // nobody can be called so
	}
	r, err = q.h.store.Resource(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrName) || errors.Is(err, fs.ErrPermission) {
		return r, false, nil
	}
	return r, err == nil && kindOf(r) == kPrincipal, err
}

// principals gives the principals that the user may read, in the order of their
// names.
func (q *request) principals() iter.Seq2[store.Resource, error] {
	return func(yield func(store.Resource, error) bool) {
		if q.h.rights.Personal() { // no need to list the folder
			if r, ok, err := q.principal(q.user); ok || err != nil {
				yield(r, err)
			}
			return
		}
		c, err := q.snapshot("", false)
		if err != nil {
			yield(store.Resource{}, err)
			return
		}
		defer c.Close()
		for name, err := range c.Collections() {
			if err != nil {
				q.h.logf(levelWarning, "listing /%s: %v", name, err)
				continue
			}
			r, ok, err := q.principal(name)
			if (ok || err != nil) && !yield(r, err) {
				return
			}
		}
	}
}

// MaxProxies is how many homes a principal is told that he is a proxy of.
const MaxProxies = 100

// proxyRefs is CS:calendar-proxy-read-for, or -write-for: the homes of others
// that a rights file opens to this user in particular, so that clients find
// them. What it opens to everybody is no delegation, and would fill the list of
// accounts of every client. Nobody is told of another's.
func proxyRefs(write bool) func(*request, *target) []string {
	return func(q *request, t *target) []string {
		refs := noRefs(q, t)
		if t.res.Path != q.user || !q.h.rights.Individual() {
			return refs
		}
		var homes []store.Resource
		for r, err := range q.principals() {
			if err != nil {
				q.h.logf(levelWarning, "proxies of %q: %v", q.user, err)
				break
			}
			if r.Path != q.user && q.allowed(r, mayWrite) == write {
				homes = append(homes, r)
			}
		}
		l := mayRead
		if write {
			l = mayWrite
		}
		// asked for all homes at once: the rights remember the last user
		somebody := "qz" + q.user // a name that patterns cannot tell from the user's
		for _, r := range homes {
			if len(refs) < MaxProxies && !q.h.permits(somebody, r, l) {
				refs = append(refs, r.Path+"/")
			}
		}
		return refs
	}
}
