package config

// kind is what an option's value must look like.
type kind uint8

const (
	text kind = iota // any
	boolean
	integer
	count   // integer, not negative
	seconds // decimal fraction, not negative
	path    // file or folder; ~ is expanded, relative ones are made absolute
	hosts
	level
	validate
	letters
	imapSecurity
	profiling
	ageMax
)

// option is a row of the table of all options.
type option struct {
	section, key string
	kind         kind
	value        string // the default
}

// options is the table of all options of Radicale 3.8 except those of
// [headers], and of our own section [inetdav] last. Options of one section
// follow each other. Keys that begin with "_" can only be read.
//
// It is an array of constants: nothing is built when the process starts.
//
// The options of [inetdav]; times are in seconds:
//   - stat_age: how old a full look at a collection's files may be before it is repeated; 0 repeats it
//     always; unless set, it grows with the collection
//   - log: "auto", "stderr", "syslog" or the path of a file
//   - idle_timeout: how long a kept connection may wait for its next request; unless set, it is longer
//     for a peer on this machine
//   - header_timeout: how long the head of a request may take
//   - body_timeout, write_timeout: how long a body, an answer may stand still
//   - max_requests: after how many requests a connection is closed; 0 is no limit
var options = [...]option{
	{"server", "hosts", hosts, "localhost:5232"},
	{"server", "max_connections", count, "8"},
	{"server", "max_content_length", count, "100000000"},
	{"server", "delay_on_error", seconds, "1"},
	{"server", "max_resource_size", count, "10000000"},
	{"server", "max_vevent_rrule_occurrence", count, "10000"},
	{"server", "timeout", seconds, "30"},
	{"server", "ssl", boolean, "False"},
	{"server", "protocol", text, ""},
	{"server", "ciphersuite", text, ""},
	{"server", "certificate", path, "/etc/ssl/radicale.cert.pem"},
	{"server", "key", path, "/etc/ssl/radicale.key.pem"},
	{"server", "certificate_authority", path, ""},
	{"server", "script_name", text, ""},
	{"server", "validate_user_value", validate, "minimal"},
	{"server", "validate_path_value", validate, "minimal"},
	{"server", "_internal_server", boolean, "False"},

	{"encoding", "request", text, "utf-8"},
	{"encoding", "stock", text, "utf-8"},

	{"auth", "type", text, "denyall"},
	{"auth", "cache_logins", boolean, "False"},
	{"auth", "cache_successful_logins_expiry", integer, "15"},
	{"auth", "cache_failed_logins_expiry", integer, "90"},
	{"auth", "htpasswd_filename", path, "/etc/radicale/users"},
	{"auth", "htpasswd_encryption", text, "autodetect"},
	{"auth", "htpasswd_cache", boolean, "False"},
	{"auth", "dovecot_connection_type", text, "AF_UNIX"},
	{"auth", "dovecot_socket", text, "/var/run/dovecot/auth-client"},
	{"auth", "dovecot_host", text, "localhost"},
	{"auth", "dovecot_port", integer, "12345"},
	{"auth", "remote_ip_source", text, "REMOTE_ADDR"},
	{"auth", "realm", text, "Radicale - Password Required"},
	{"auth", "delay", seconds, "1"},
	{"auth", "ldap_uri", text, "ldap://localhost"},
	{"auth", "ldap_base", text, ""},
	{"auth", "ldap_reader_dn", text, ""},
	{"auth", "ldap_secret", text, ""},
	{"auth", "ldap_secret_file", text, ""},
	{"auth", "ldap_filter", text, "(cn={0})"},
	{"auth", "ldap_user_attribute", text, ""},
	{"auth", "ldap_security", text, "none"},
	{"auth", "ldap_ssl_verify_mode", text, "REQUIRED"},
	{"auth", "ldap_ssl_ca_file", text, ""},
	{"auth", "ldap_groups_attribute", text, ""},
	{"auth", "ldap_group_members_attribute", text, ""},
	{"auth", "ldap_group_base", text, ""},
	{"auth", "ldap_group_filter", text, ""},
	{"auth", "ldap_ignore_attribute_create_modify_timestamp", boolean, "False"},
	{"auth", "imap_host", text, "localhost"},
	{"auth", "imap_security", imapSecurity, "tls"},
	{"auth", "imap_append_domain", text, ""},
	{"auth", "oauth2_token_endpoint", text, ""},
	{"auth", "oauth2_client_id", text, "radicale"},
	{"auth", "oauth2_client_secret", text, ""},
	{"auth", "pam_group_membership", text, ""},
	{"auth", "pam_service", text, "radicale"},
	{"auth", "strip_domain", boolean, "False"},
	{"auth", "uc_username", boolean, "False"},
	{"auth", "lc_username", boolean, "False"},
	{"auth", "urldecode_username", boolean, "False"},

	{"group", "type", text, "none"},
	{"group", "htgroup_filename", path, "/etc/radicale/groups"},
	{"group", "htgroup_cache", boolean, "False"},

	{"rights", "type", text, "owner_only"},
	{"rights", "permit_delete_collection", boolean, "True"},
	{"rights", "permit_overwrite_collection", boolean, "True"},
	{"rights", "file", path, "/etc/radicale/rights"},

	{"storage", "type", text, "multifilesystem"},
	{"storage", "filesystem_folder", path, "/var/lib/radicale/collections"},
	{"storage", "filesystem_cache_folder", path, ""},
	{"storage", "use_cache_subfolder_for_item", boolean, "False"},
	{"storage", "use_cache_subfolder_for_history", boolean, "False"},
	{"storage", "use_cache_subfolder_for_synctoken", boolean, "False"},
	{"storage", "use_mtime_and_size_for_item_cache", boolean, "False"},
	{"storage", "folder_umask", text, ""},
	{"storage", "max_sync_token_age", count, "2592000"},
	{"storage", "skip_broken_item", boolean, "True"},
	{"storage", "hook", text, ""},
	{"storage", "strict_preconditions", boolean, "False"},
	{"storage", "_filesystem_fsync", boolean, "True"},
	{"storage", "predefined_collections", text, ""},

	{"sharing", "type", text, "none"},
	{"sharing", "database_path", path, ""},
	{"sharing", "collection_by_token", boolean, "False"},
	{"sharing", "collection_by_map", boolean, "False"},
	{"sharing", "permit_create_token", boolean, "False"},
	{"sharing", "permit_create_map", boolean, "False"},
	{"sharing", "permit_properties_overlay", boolean, "False"},
	{"sharing", "enforce_properties_overlay", boolean, "True"},
	{"sharing", "default_permissions_create_token", letters, "rp"},
	{"sharing", "default_permissions_create_map", letters, "r"},
	{"sharing", "conversion_bday_summary_template", text, "[{n:f} {n:g}|{fn}|{nickname}] ({year}) (BDAY)"},
	{"sharing", "conversion_bday_description_template", text, "BDAY={year}-{month}-{day}"},
	{"sharing", "conversion_bday_alarm_trigger_template", text, ""},
	{"sharing", "conversion_bday_categories", text, "Birthday"},
	{"sharing", "conversion_bday_age_max", ageMax, "99"},

	{"hook", "type", text, "none"},
	{"hook", "dryrun", boolean, "False"},
	{"hook", "rabbitmq_endpoint", text, ""},
	{"hook", "rabbitmq_topic", text, ""},
	{"hook", "rabbitmq_queue_type", text, ""},
	{"hook", "smtp_server", text, ""},
	{"hook", "smtp_port", text, ""},
	{"hook", "smtp_security", text, "none"},
	{"hook", "smtp_ssl_verify_mode", text, "REQUIRED"},
	{"hook", "smtp_username", text, ""},
	{"hook", "smtp_password", text, ""},
	{"hook", "from_email", text, ""},
	{"hook", "mass_email", boolean, "False"},
	{"hook", "new_or_added_to_event_template", text, "Hello $attendee_name,\n\nYou have been added as an attendee to the following calendar event.\n\n    $event_title\n    $event_start_time - $event_end_time\n    $event_location\n\nThis is an automated message. Please do not reply."},
	{"hook", "deleted_or_removed_from_event_template", text, "Hello $attendee_name,\n\nThe following event has been deleted.\n\n    $event_title\n    $event_start_time - $event_end_time\n    $event_location\n\nThis is an automated message. Please do not reply."},
	{"hook", "updated_event_template", text, "Hello $attendee_name,\nThe following event has been updated.\n    $event_title\n    $event_start_time - $event_end_time\n    $event_location\n\nThis is an automated message. Please do not reply."},

	{"web", "type", text, "internal"},
	{"web", "prefer_browser_login", boolean, "False"},

	{"logging", "level", level, "info"},
	{"logging", "limit_content", count, "3000"},
	{"logging", "trace_filter", text, ""},
	{"logging", "bad_put_request_content", boolean, "False"},
	{"logging", "backtrace_on_debug", boolean, "False"},
	{"logging", "request_header_on_debug", boolean, "False"},
	{"logging", "request_content_on_debug", boolean, "False"},
	{"logging", "response_header_on_debug", boolean, "False"},
	{"logging", "response_content_on_debug", boolean, "False"},
	{"logging", "request_header_on_notice_condition", text, "{}"},
	{"logging", "request_content_on_notice_condition", text, "{}"},
	{"logging", "response_header_on_notice_condition", text, "{}"},
	{"logging", "response_content_on_notice_condition", text, "{}"},
	{"logging", "rights_rule_doesnt_match_on_debug", boolean, "False"},
	{"logging", "storage_cache_actions_on_debug", boolean, "False"},
	{"logging", "profiling", profiling, "none"},
	{"logging", "profiling_per_request_min_duration", count, "3"},
	{"logging", "profiling_per_request_header", boolean, "False"},
	{"logging", "profiling_per_request_xml", boolean, "False"},
	{"logging", "profiling_per_request_method_interval", count, "600"},
	{"logging", "profiling_top_x_functions", count, "10"},
	{"logging", "mask_passwords", boolean, "True"},

	{"reporting", "max_expand_occurrence", count, "10000"},
	{"reporting", "max_freebusy_occurrence", count, "10000"},

	{"inetdav", "stat_age", seconds, "300"},
	{"inetdav", "log", text, "auto"},
	{"inetdav", "idle_timeout", seconds, "60"},
	{"inetdav", "header_timeout", seconds, "30"},
	{"inetdav", "body_timeout", seconds, "60"},
	{"inetdav", "write_timeout", seconds, "60"},
	{"inetdav", "max_requests", count, "0"},
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

// find returns the place of an option in the table, or -1.
func find(section, key string) int {
	for i := range options {
		// the keys first: few are of the same length
		if options[i].key == key && options[i].section == section {
			return i
		}
	}
	return -1
}
