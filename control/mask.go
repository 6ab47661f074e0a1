package control

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// A settable field: its path and how to copy it. same reports whether two settings agree in it.
type settable struct {
	path string
	copy func(dst, src *Settings)
	same func(a, b *Settings) bool
}

func field[T comparable](path string, of func(*Settings) *T) settable {
	return settable{path,
		func(dst, src *Settings) { *of(dst) = *of(src) },
		func(a, b *Settings) bool { return *of(a) == *of(b) }}
}

func listField(path string, of func(*Settings) *[]string) settable {
	return settable{path,
		func(dst, src *Settings) { *of(dst) = slices.Clone(*of(src)) },
		func(a, b *Settings) bool { return slices.Equal(*of(a), *of(b)) }}
}

// settables are all fields that an update can change but the password, by their path in the API.
func settables() []settable {
	return []settable{
		field("display_name", func(s *Settings) *string { return &s.DisplayName }),
		field("email_address", func(s *Settings) *string { return &s.EmailAddress }),
		field("enabled", func(s *Settings) *bool { return &s.Enabled }),
		field("description", func(s *Settings) *string { return &s.Description }),
		{"labels",
			func(dst, src *Settings) { dst.Labels = maps.Clone(src.Labels) },
			func(a, b *Settings) bool { return maps.Equal(a.Labels, b.Labels) }},
		field("script", func(s *Settings) *string { return &s.Script }),
		field("protocol", func(s *Settings) *ingest.Protocol { return &s.Protocol }),
		field("host", func(s *Settings) *string { return &s.Host }),
		field("port", func(s *Settings) *int { return &s.Port }),
		field("starttls", func(s *Settings) *bool { return &s.StartTLS }),
		field("tls.server_name", func(s *Settings) *string { return &s.TLSServerName }),
		field("tls.ca_pem", func(s *Settings) *string { return &s.TLSCAPEM }),
		field("username", func(s *Settings) *string { return &s.Username }),
		field("folders", func(s *Settings) *string { return &s.Folder }),
		field("poll_interval", func(s *Settings) *time.Duration { return &s.PollInterval }),
		field("initial_sync", func(s *Settings) *ingest.InitialSync { return &s.InitialSync }),
		{"initial_sync_time",
			func(dst, src *Settings) { dst.SyncSince = src.SyncSince },
			func(a, b *Settings) bool { return a.SyncSince.Equal(b.SyncSince) }},
		field("settlement", func(s *Settings) *ingest.Settlement { return &s.Settlement }),
		listField("aliases", func(s *Settings) *[]string { return &s.Aliases }),
		field("fallback_charset", func(s *Settings) *string { return &s.FallbackCharset }),
		listField("authserv_ids", func(s *Settings) *[]string { return &s.AuthservIDs }),
		field("max_message_bytes", func(s *Settings) *int64 { return &s.MaxMessageBytes }),
	}
}

// readOnly reports whether a path names a field that only the server sets.
func readOnly(path string) bool {
	root, _, nested := strings.Cut(path, ".")
	return root == "status" || root == "create_time" || root == "update_time" || root == "delete_time" ||
		!nested && slices.Contains([]string{"name", "uid", "password_set", "state", "etag"}, root)
}

// merge gives the settings after an update, not yet completed, and whether it sets the password. A path may name a field,
// a field of tls, tls as a whole, or one label.
func merge(old Settings, u UpdateChannel) (merged Settings, password bool, err error) {
	merged = old
	merged.Labels = maps.Clone(old.Labels)
	fields := settables()
	var vs []Violation
	for _, path := range u.Paths {
		if path == "*" {
			if len(u.Paths) > 1 {
				vs = append(vs, Violation{"update_mask", `"*" must stand alone`})
				continue
			}
			for _, f := range fields {
				f.copy(&merged, &u.Settings)
			}
			password = !u.Password.IsZero()
			continue
		}
		if path == "password" {
			password = true
			continue
		}
		if key, ok := strings.CutPrefix(path, "labels."); ok {
			if v, ok := u.Settings.Labels[key]; !ok {
				delete(merged.Labels, key)
			} else {
				if merged.Labels == nil {
					merged.Labels = map[string]string{}
				}
				merged.Labels[key] = v
			}
			continue
		}
		known := readOnly(path)
		for _, f := range fields {
			if f.path == path || path == "tls" && strings.HasPrefix(f.path, "tls.") {
				f.copy(&merged, &u.Settings)
				known = true
			}
		}
		if !known {
			vs = append(vs, Violation{"update_mask", strings.TrimSpace(path + " is not a field of an email channel")})
		}
	}
	if len(vs) > 0 {
		return merged, false, Invalid(vs...)
	}
	return merged, password, nil
}

// differences are the paths of the fields in which two settings differ.
func differences(a, b *Settings) []string {
	var paths []string
	for _, f := range settables() {
		if !f.same(a, b) {
			paths = append(paths, f.path)
		}
	}
	return paths
}
