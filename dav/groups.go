package dav

import (
	"inetdav/dav/access"
	"inetdav/dav/davxml"
)

// Radicale keeps collections of groups in /GROUPS/, each named by the group's
// name in base 64, and lists them whatever is asked for. Here they are listed
// with the home of the user only, where clients look for collections: a member
// of a collection is otherwise what is below it, and who walks a tree, or
// compares what is below with what was, would find them where they are not.

// ofGroups visits the collections of the user's groups, if the home of the user
// was asked for.
func (f *propfind) ofGroups(depth int, visit func(*target) error) error {
	if f.user == "" || f.path != f.user || depth == 0 {
		return nil
	}
	for _, group := range f.h.rights.Groups.Of(f.user) {
		name, ok := access.GroupName(group)
		if !ok {
			continue
		}
		res, err := f.lookAt(access.GroupFolder + "/" + name)
		if gone(err) || err == nil && (!res.Kind.IsCollection() || !f.allowed(res, mayRead)) {
			continue
		}
		if err != nil {
			err = f.failed(davxml.EscapePath(f.collectionHref(res.Path)), res.Path, err)
		} else {
			err = f.walk(&target{res: res}, depth-1, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
