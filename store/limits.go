package store

import "time"

// Defaults of Options.
const (
	// defaultSyncTokenAge is Radicale's 30 days.
	defaultSyncTokenAge = 30 * 24 * time.Hour
	// defaultMaxObject is the largest object looked into, in bytes.
	defaultMaxObject = 10 << 20
	// defaultLockTimeout is how long a request waits for the lock.
	defaultLockTimeout = 30 * time.Second
	// defaultHookTimeout is how long the hook may take.
	defaultHookTimeout = 60 * time.Second
)

// Limits of names and paths.
const (
	// maxName is the length of the longest segment of a path, in bytes.
	maxName = 255
	// maxPath is the length of the longest path, in bytes; with the folder in
	// front and a journal behind it still fits into PATH_MAX.
	maxPath = 2048
	// maxDepth is the largest number of segments in a path, and how deep a
	// folder is copied or removed.
	maxDepth = 64
)

// Limits of files that are read whole.
const (
	// maxProps is the size of the largest .Radicale.props or .inetdav.props, in bytes.
	maxProps = 1 << 20
	// maxInMemory is the size up to which an opened object is read once,
	// into memory, and not twice, for its entity tag and for its bytes.
	maxInMemory = 1 << 20
)

// Limits of what is read in Radicale's caches.
const (
	// maxItemValues is how many values there may be in an entry for one object.
	maxItemValues = 64
	// maxHistoryEntry is the size of an entry of its history, in bytes.
	maxHistoryEntry = 1 << 10
	// maxTokenState and maxTokenValues bound what is kept for one sync token: 200
	// bytes, and two values, each marked once more, for each object.
	maxTokenState  = 64 << 20
	maxTokenValues = 1 << 20
	// maxUnknownItems is for how many objects of a collection all versions of
	// Radicale are tried in vain: 1500 hashes each.
	maxUnknownItems = 4
)

// Limits of write locks. Every writing request reads all of them.
const (
	// maxLocks is how many locks there may be.
	maxLocks = 1000
	// maxUserLocks is how many of them one user may hold, all who are
	// anonymous together.
	maxUserLocks = 100
	// maxUserLocksSize is the size of their paths and owners, in bytes.
	maxUserLocksSize = 32 << 10
	// maxLockOwner is the size of what a client may say about itself, in bytes.
	maxLockOwner = 4 << 10
	// maxLocksFile is the size of the file that they are kept in, in bytes.
	maxLocksFile = 1 << 20
)

// Limits of the journal.
const (
	// maxUID is the length of a UID kept in full, in bytes; of a longer one the
	// journal keeps the beginning and a hash (see shortUID).
	maxUID = 512
	// maxComponent is the length of the longest component name kept, in bytes.
	maxComponent = 64
	// maxHints is how much of the hints is kept for an object, in bytes; larger
	// ones are left out whole.
	maxHints = 8 << 10
	// maxRecord is the size of the largest record, in bytes.
	maxRecord = recordFixed + maxName + maxComponent + maxUID + maxHints + tagSize

	// minFold and maxFold bound the size of a log, in bytes, at which it is
	// folded into the index: in between it is a quarter of the index. Readers
	// hold a log in memory.
	minFold = 256 << 10
	maxFold = 1 << 20
	// maxLog is the size of the largest log, in bytes: one that could not be
	// folded for want of room goes on for a while.
	maxLog = 4 * maxFold

	// statAgePerObject and maxStatAge make the time of StatAuto. Beyond
	// fewObjects, what need not look at every object does so only every
	// maxStatAge: what that costs grows with the collection, and who polls is
	// to notice nothing of it.
	statAgePerObject = 5 * time.Millisecond
	maxStatAge       = 6 * time.Hour
	fewObjects       = 256

	// racyFile is how long before a scan a file has to have changed last so
	// that the next change must show in its times: vfat counts in steps of 2 s.
	racyFile = 2 * time.Second
	// racyFolder is the same for a folder whose time has nanoseconds: a few
	// ticks of the slowest clock (100 Hz).
	racyFolder = 50 * time.Millisecond

	// tempAge is how old a leftover of an interrupted write has to be before
	// it is removed.
	tempAge = time.Hour
)

// Versions of what the journal holds. Files of another formatVersion are built
// anew; at another summaryVersion the objects are read again but the history
// is kept.
const (
	formatVersion = 1
	// summaryVersion is raised whenever package object says something else
	// about the same bytes.
	summaryVersion = 3
)

// Names that are not objects'.
const (
	rootName       = "collection-root"
	cacheRootName  = "collection-cache"
	lockName       = ".Radicale.lock"
	locksName      = ".inetdav.locks"
	propsName      = ".Radicale.props"
	deadPropsName  = ".inetdav.props"
	tempPrefix     = ".Radicale.tmp-"
	radicaleCache  = ".Radicale.cache"
	journalName    = "inetdav"
	indexName      = "index"
	logName        = "log"
	checkedName    = "checked"
	taggedName     = "tagged"
	filePermission = 0o666 // before the umask, as Radicale's
	dirPermission  = 0o777
	ownPermission  = 0o700 // of the journal's folder: no one else's business
)
