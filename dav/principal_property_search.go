package dav

import (
	"fmt"
	"net/http"

	"inetdav/dav/davxml"
	"inetdav/store"
	"inetdav/store/object"
)

// MaxPrincipals is how many principals a search may find. Where there are more,
// it fails with DAV:number-of-matches-within-limits.
const MaxPrincipals = 1000

// propertySearch is what a principal must have (RFC 3744, 9.4): in each of the
// properties a text that matches.
type propertySearch struct {
	names []davxml.Name
	match object.TextMatch
}

// principalPropertySearch is RFC 3744, 9.4: the principals whose properties
// hold a text, without regard to case. Apple's additions are understood:
// test="anyof" on the request, and match-type on DAV:match.
func (q *request) principalPropertySearch(root *davxml.Element) error {
	if err := q.depth0(); err != nil {
		return err
	}
	var searches []propertySearch
	for e := range root.Elements() {
		if e.Name != nPropertySearch {
			continue
		}
		s, err := readPropertySearch(e)
		if err != nil {
			return err
		}
		searches = append(searches, s)
	}
	if len(searches) == 0 {
		return refuse(http.StatusBadRequest, "principal-property-search without property-search")
	}
	anyOf := root.Attr("test") == "anyof"
	var found []store.Resource
	// principals are members of the root alone, the one principal collection
	if q.path == "" || root.Child(nApplyToPrincipals) != nil {
		for r, err := range q.principals() {
			if err != nil {
				return err
			}
			ok, err := q.matches(r, searches, anyOf)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if len(found) == MaxPrincipals {
				return violates(nNumberOfMatches, fmt.Errorf("more than %d principals", MaxPrincipals))
			}
			found = append(found, r)
		}
	}
	names := q.h.lookup(root.Child(nProp))
	m := q.newMultistatus()
	for _, r := range found {
		if err := m.foundPrincipal(r, names); err != nil {
			return err
		}
	}
	return m.close()
}

func readPropertySearch(e *davxml.Element) (s propertySearch, err error) {
	prop, match := e.Child(nProp), e.Child(nMatch)
	if prop != nil {
		for p := range prop.Elements() {
			s.names = append(s.names, p.Name)
		}
	}
	if len(s.names) == 0 || match == nil {
		return s, refuse(http.StatusBadRequest, "property-search without prop or match")
	}
	s.match = object.TextMatch{Text: match.Text(), Collation: object.UnicodeCasemap}
	switch match.Attr("match-type") {
	case "equals":
		s.match.MatchType = object.Equals
	case "starts-with":
		s.match.MatchType = object.StartsWith
	case "ends-with":
		s.match.MatchType = object.EndsWith
	default:
		s.match.MatchType = object.Contains
	}
	return s, nil
}

// matches decides whether a principal is searched for.
func (q *request) matches(r store.Resource, searches []propertySearch, anyOf bool) (bool, error) {
	t := &target{res: r}
	defer t.close()
	for i := range searches {
		ok := true
		for _, name := range searches[i].names {
			texts, err := q.searchable(t, name)
			if err != nil {
				return false, err
			}
			if ok, err = anyMatch(&searches[i].match, texts); err != nil {
				return false, err
			}
			if !ok {
				break
			}
		}
		if ok == anyOf {
			return ok, nil
		}
	}
	return !anyOf, nil
}

func anyMatch(m *object.TextMatch, texts []string) (bool, error) {
	for _, text := range texts {
		if ok, err := m.Match(text); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// searchable gives each text in the value of a property for itself (RFC 3744,
// 9.4.1); none where it cannot be searched.
func (q *request) searchable(t *target, name davxml.Name) ([]string, error) {
	switch name {
	case nDisplayname:
		text, _, err := q.displayname(t)
		return []string{text}, err
	case nUserAddressSet:
		return q.userAddresses(t), nil
	case nEmailAddressSet:
		return emails(t.res.Path), nil
	}
	return nil, nil
}
