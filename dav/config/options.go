package config

// kind is what an option's value must look like.
type kind uint8

const (
	text   kind = iota // any
	secret             // any; shown to nobody
	boolean
	integer
	count   // integer, not negative
	seconds // decimal fraction, not negative
	path    // file or folder; ~ is expanded, relative ones are made absolute
	hosts
	level
	validate
	letters
	imapAddress
	storageType
	imapSecurity
	profiling
	ageMax
	confinement
)

// section is a part of the table of options.
type section struct {
	name    string
	options []option
}

// option is a row of the table.
type option struct {
	key     string
	kind    kind
	value   string // the default
	instead string // what takes the place of an option that has no effect here; "": it has Radicale's
}

// notDone is the reason of several options to have no effect.
const notDone = "not done here"

// sections is the table of all options of Radicale 3.8 except those of
// [headers], and of our own section [inetdav] last. Keys that begin with "_" can
// only be read. Where the type of a section is not done, its other options have
// no mark of their own.
//
// It is made of constants: nothing is built when the process starts.
//
// The options of [inetdav]; times are in seconds:
//   - stat_age: how old a full look at a collection's files may be before it is repeated; 0 repeats it
//     always; unless set, it grows with the collection
//   - log: "auto", "stderr", "syslog" or the path of a file
//   - idle_timeout: how long a kept connection may wait for its next request; unless set, it is longer
//     for a peer on this machine
//   - proxy_protocol: peers (addresses, networks, "unix") that begin with a header of the PROXY protocol
//   - header_timeout: how long the head of a request may take
//   - body_timeout, write_timeout: how long a body, an answer may stand still
//   - max_requests: after how many requests a connection is closed; 0 is no limit
//   - auth_socket: where the helper for logins over the network listens; "" starts it as a child
//   - checkpassword: the program and its arguments, separated by blanks, that [auth] type = checkpassword
//     asks, and pam
//   - confine: whether the process gives up what it does not need: "auto", as far as the kernel can,
//     "no", or "strict", which refuses to serve where something is missing
//   - state_folder: where processes share what they know of failed and verified logins; unless set,
//     RUNTIME_DIRECTORY or /run/inetdav
var sections = [...]section{
	{"server", []option{
		{"hosts", hosts, "localhost:5232", "the super-server's addresses: ListenStream= of radicale.socket"},
		{"max_connections", count, "8", "the super-server's limit: MaxConnections= of radicale.socket"},
		{"max_content_length", count, "100000000", ""},
		{"delay_on_error", seconds, "1", ""},
		{"max_resource_size", count, "10000000", ""},
		{"max_vevent_rrule_occurrence", count, "10000", ""},
		{"timeout", seconds, "30", ""},
		{"ssl", boolean, "False", ""},
		{"protocol", text, "", ""},
		{"ciphersuite", text, "", ""},
		{"certificate", path, "/etc/ssl/radicale.cert.pem", ""},
		{"key", path, "/etc/ssl/radicale.key.pem", ""},
		{"certificate_authority", path, "", ""},
		{"script_name", text, "", ""},
		{"validate_user_value", validate, "minimal", ""},
		{"validate_path_value", validate, "minimal", ""},
		{"_internal_server", boolean, "False", ""},
	}},
	{"encoding", []option{
		{"request", text, "utf-8", ""},
		{"stock", text, "utf-8", "UTF-8"},
	}},
	{"auth", []option{
		{"type", text, "denyall", ""},
		{"cache_logins", boolean, "False", ""},
		{"cache_successful_logins_expiry", integer, "15", ""},
		{"cache_failed_logins_expiry", integer, "90", ""},
		{"htpasswd_filename", path, "/etc/radicale/users", ""},
		{"htpasswd_encryption", text, "autodetect", ""},
		{"htpasswd_cache", boolean, "False", "one look at the file for each process, and after each change"},
		{"dovecot_connection_type", text, "AF_UNIX", ""},
		{"dovecot_socket", text, "/var/run/dovecot/auth-client", ""},
		{"dovecot_host", text, "localhost", ""},
		{"dovecot_port", integer, "12345", ""},
		{"remote_ip_source", text, "REMOTE_ADDR", ""},
		{"realm", text, "Radicale - Password Required", ""},
		{"delay", seconds, "1", ""},
		{"ldap_uri", text, "ldap://localhost", ""},
		{"ldap_base", text, "", ""},
		{"ldap_reader_dn", text, "", ""},
		{"ldap_secret", secret, "", ""},
		{"ldap_secret_file", text, "", ""},
		{"ldap_filter", text, "(cn={0})", ""},
		{"ldap_user_attribute", text, "", ""},
		{"ldap_security", text, "none", ""},
		{"ldap_ssl_verify_mode", text, "REQUIRED", ""},
		{"ldap_ssl_ca_file", text, "", ""},
		{"ldap_groups_attribute", text, "", ""},
		{"ldap_group_members_attribute", text, "", ""},
		{"ldap_group_base", text, "", ""},
		{"ldap_group_filter", text, "", ""},
		{"ldap_ignore_attribute_create_modify_timestamp", boolean, "False", ""},
		{"imap_host", imapAddress, "localhost", ""},
		{"imap_security", imapSecurity, "tls", ""},
		{"imap_append_domain", text, "", ""},
		{"oauth2_token_endpoint", text, "", ""},
		{"oauth2_client_id", text, "radicale", ""},
		{"oauth2_client_secret", secret, "", ""},
		{"pam_group_membership", text, "", ""},
		{"pam_service", text, "radicale", ""},
		{"strip_domain", boolean, "False", ""},
		{"uc_username", boolean, "False", ""},
		{"lc_username", boolean, "False", ""},
		{"urldecode_username", boolean, "False", ""},
	}},
	{"group", []option{
		{"type", text, "none", ""},
		{"htgroup_filename", path, "/etc/radicale/groups", ""},
		{"htgroup_cache", boolean, "False", "one look at the file for each process, and after each change"},
	}},
	{"rights", []option{
		{"type", text, "owner_only", ""},
		{"permit_delete_collection", boolean, "True", ""},
		{"permit_overwrite_collection", boolean, "True", ""},
		{"file", path, "/etc/radicale/rights", ""},
	}},
	{"storage", []option{
		{"type", storageType, "multifilesystem", ""},
		{"filesystem_folder", path, "/var/lib/radicale/collections", ""},
		{"filesystem_cache_folder", path, "", ""},
		{"use_cache_subfolder_for_item", boolean, "False", ""},
		{"use_cache_subfolder_for_history", boolean, "False", ""},
		{"use_cache_subfolder_for_synctoken", boolean, "False", ""},
		{"use_mtime_and_size_for_item_cache", boolean, "False", "the journal, which always goes by sizes and times"},
		{"folder_umask", text, "", ""},
		{"max_sync_token_age", count, "2592000", ""},
		{"skip_broken_item", boolean, "True", "a list with the broken object, and an error for who reads it"},
		{"hook", text, "", ""},
		{"strict_preconditions", boolean, "False", ""},
		{"_filesystem_fsync", boolean, "True", ""},
		{"predefined_collections", text, "", ""},
	}},
	{"sharing", []option{
		{"type", text, "none", notDone},
		{"database_path", path, "", ""},
		{"collection_by_token", boolean, "False", ""},
		{"collection_by_map", boolean, "False", ""},
		{"permit_create_token", boolean, "False", ""},
		{"permit_create_map", boolean, "False", ""},
		{"permit_properties_overlay", boolean, "False", ""},
		{"enforce_properties_overlay", boolean, "True", ""},
		{"default_permissions_create_token", letters, "rp", ""},
		{"default_permissions_create_map", letters, "r", ""},
		{"conversion_bday_summary_template", text, "[{n:f} {n:g}|{fn}|{nickname}] ({year}) (BDAY)", ""},
		{"conversion_bday_description_template", text, "BDAY={year}-{month}-{day}", ""},
		{"conversion_bday_alarm_trigger_template", text, "", ""},
		{"conversion_bday_categories", text, "Birthday", ""},
		{"conversion_bday_age_max", ageMax, "99", ""},
	}},
	{"hook", []option{
		{"type", text, "none", notDone},
		{"dryrun", boolean, "False", ""},
		{"rabbitmq_endpoint", secret, "", ""},
		{"rabbitmq_topic", text, "", ""},
		{"rabbitmq_queue_type", text, "", ""},
		{"smtp_server", text, "", ""},
		{"smtp_port", text, "", ""},
		{"smtp_security", text, "none", ""},
		{"smtp_ssl_verify_mode", text, "REQUIRED", ""},
		{"smtp_username", text, "", ""},
		{"smtp_password", secret, "", ""},
		{"from_email", text, "", ""},
		{"mass_email", boolean, "False", ""},
		{"new_or_added_to_event_template", text, "Hello $attendee_name,\n\nYou have been added as an attendee to the following calendar event.\n\n    $event_title\n    $event_start_time - $event_end_time\n    $event_location\n\nThis is an automated message. Please do not reply.", ""},
		{"deleted_or_removed_from_event_template", text, "Hello $attendee_name,\n\nThe following event has been deleted.\n\n    $event_title\n    $event_start_time - $event_end_time\n    $event_location\n\nThis is an automated message. Please do not reply.", ""},
		{"updated_event_template", text, "Hello $attendee_name,\nThe following event has been updated.\n    $event_title\n    $event_start_time - $event_end_time\n    $event_location\n\nThis is an automated message. Please do not reply.", ""},
	}},
	{"web", []option{
		{"type", text, "internal", notDone},
		{"prefer_browser_login", boolean, "False", ""},
	}},
	{"logging", []option{
		{"level", level, "info", ""},
		{"limit_content", count, "3000", ""},
		{"trace_filter", text, "", "no entries of level trace: there are none"},
		{"bad_put_request_content", boolean, "False", ""},
		{"backtrace_on_debug", boolean, "False", "a backtrace for each panic, always"},
		{"request_header_on_debug", boolean, "False", ""},
		{"request_content_on_debug", boolean, "False", ""},
		{"response_header_on_debug", boolean, "False", ""},
		{"response_content_on_debug", boolean, "False", ""},
		{"request_header_on_notice_condition", text, "{}", notDone},
		{"request_content_on_notice_condition", text, "{}", notDone},
		{"response_header_on_notice_condition", text, "{}", notDone},
		{"response_content_on_notice_condition", text, "{}", notDone},
		{"rights_rule_doesnt_match_on_debug", boolean, "False", notDone},
		{"storage_cache_actions_on_debug", boolean, "False", notDone},
		{"profiling", profiling, "none", notDone},
		{"profiling_per_request_min_duration", count, "3", ""},
		{"profiling_per_request_header", boolean, "False", ""},
		{"profiling_per_request_xml", boolean, "False", ""},
		{"profiling_per_request_method_interval", count, "600", ""},
		{"profiling_top_x_functions", count, "10", ""},
		{"mask_passwords", boolean, "True", ""},
	}},
	{"reporting", []option{
		{"max_expand_occurrence", count, "10000", ""},
		{"max_freebusy_occurrence", count, "10000", ""},
	}},
	{"inetdav", []option{
		{"stat_age", seconds, "300", ""},
		{"log", text, "auto", ""},
		{"idle_timeout", seconds, "60", ""},
		{"proxy_protocol", text, "", ""},
		{"header_timeout", seconds, "30", ""},
		{"body_timeout", seconds, "60", ""},
		{"write_timeout", seconds, "60", ""},
		{"max_requests", count, "0", ""},
		{"follow_links", boolean, "False", ""},
		{"hook_timeout", seconds, "60", ""},
		{"auth_socket", path, "/run/inetdav/auth.sock", ""},
		{"checkpassword", text, "", ""},
		{"state_folder", path, "", ""},
		{"confine", confinement, "auto", ""},
	}},
}

// aliases are the other spellings of options on the command line.
var aliases = [...]struct{ flag, section, key, value string }{
	{"-H", "server", "hosts", ""},
	{"--hosts", "server", "hosts", ""},
	{"-s", "server", "ssl", "True"},
	{"--ssl", "server", "ssl", "True"},
	{"-S", "server", "ssl", "False"},
	{"--no-ssl", "server", "ssl", "False"},
	{"-c", "server", "certificate", ""},
	{"--certificate", "server", "certificate", ""},
	{"-k", "server", "key", ""},
	{"--key", "server", "key", ""},
	{"--certificate-authority", "server", "certificate_authority", ""},
	{"-D", "logging", "level", "debug"},
	{"--debug", "logging", "level", "debug"},
}

// find returns an option, or nil. It is asked some sixty times when a process
// starts: a look at one letter spares most comparisons.
func find(name, key string) *option {
	options := optionsOf(name)
	for i := range options {
		if o := &options[i]; len(o.key) == len(key) && o.key[len(key)-1] == key[len(key)-1] && o.key == key {
			return o
		}
	}
	return nil
}

// optionsOf returns the options of a section, nil where there is none of the name.
func optionsOf(name string) []option {
	for i := range sections {
		if s := &sections[i]; len(s.name) == len(name) && s.name[0] == name[0] && s.name == name {
			return s.options
		}
	}
	return nil
}
