package dav

import (
	"fmt"
	"strconv"
	"strings"

	"inetdav/dav/config"
	"inetdav/store"
)

// StoreOptions reads what the store has to know from the configuration, for
// every program that opens the folder. Logf is the caller's to set.
func StoreOptions(c *config.Config) (store.Options, error) {
	o := store.Options{
		Folder:          c.Path("storage", "filesystem_folder"),
		CacheFolder:     c.Path("storage", "filesystem_cache_folder"),
		MaxSyncTokenAge: c.Duration("storage", "max_sync_token_age"),
		FolderUmask:     -1,
		StatAge:         store.StatAuto,
		MaxObject:       c.Int("server", "max_resource_size"),

		ItemsInCacheFolder:   c.Bool("storage", "use_cache_subfolder_for_item"),
		HistoryInCacheFolder: c.Bool("storage", "use_cache_subfolder_for_history"),
		TokensInCacheFolder:  c.Bool("storage", "use_cache_subfolder_for_synctoken"),

		FollowLinks: c.Bool("inetdav", "follow_links"),
		Predefined:  c.String("storage", "predefined_collections"),
		Hook:        store.Hook(c.String("storage", "hook")),
		HookTimeout: c.Duration("inetdav", "hook_timeout"),
	}
	if o.CacheFolder == "" && (o.ItemsInCacheFolder || o.HistoryInCacheFolder || o.TokensInCacheFolder) {
		o.CacheFolder = o.Folder // as Radicale
	}
	if err := store.CheckPredefined(o.Predefined); err != nil {
		return o, fmt.Errorf("[storage] predefined_collections: %w", err)
	}
	if err := o.Hook.Check(); err != nil {
		return o, fmt.Errorf("[storage] hook: %w", err)
	}
	if text := c.String("storage", "folder_umask"); text != "" {
		umask, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 9)
		if err != nil {
			return o, fmt.Errorf("[storage] folder_umask: %q is no octal number up to 777", text)
		}
		o.FolderUmask = int(umask)
	}
	if c.Source("inetdav", "stat_age") != "default" {
		if o.StatAge = c.Duration("inetdav", "stat_age"); o.StatAge == 0 {
			o.StatAge = store.StatAlways
		}
	}
	return o, nil
}
