package store

import "iter"

// Collections yields the names of the collections in the one at path, in order,
// each with an error in its place if it cannot be looked at, and the name "" with
// the error if the one at path cannot. It opens no journal, so a whole tree can
// be walked.
func (tx *Tx) Collections(path string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		c, err := tx.s.newCollection(path)
		if err != nil {
			yield("", err)
			return
		}
		defer c.Close()
		c.Collections()(yield)
	}
}
