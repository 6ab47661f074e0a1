package control

import (
	"strings"

	"github.com/google/uuid"

	"github.com/mailintake/mailintake/ingest"
)

// ValidID reports whether s may name a tenant or a channel: 1 to 39 lower-case ASCII letters, digits and hyphens, not
// beginning with a hyphen.
func ValidID(s string) bool {
	if s == "" || len(s) > 39 || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// TenantName is tenants/{tenant}.
func TenantName(tenant string) string { return "tenants/" + tenant }

// ChannelName is tenants/{tenant}/emailChannels/{channel}.
func ChannelName(tenant, channel string) string {
	return TenantName(tenant) + "/emailChannels/" + channel
}

// MessageName is tenants/{tenant}/emailChannels/{channel}/messages/{message}.
func MessageName(tenant, channel string, id ingest.MessageID) string {
	return ChannelName(tenant, channel) + "/messages/" + uuid.UUID(id).String()
}

// ReplayName is tenants/{tenant}/replays/{replay}.
func ReplayName(tenant, id string) string { return TenantName(tenant) + "/replays/" + id }

// ParseTenant is the inverse of TenantName; field names the request field in the error, which is of KindInvalid.
func ParseTenant(field, name string) (tenant string, err error) {
	id, ok := segments(name, "tenants")
	if !ok || !ValidID(id[0]) {
		return "", badName(field, "tenants/{tenant}")
	}
	return id[0], nil
}

// ParseChannel is the inverse of ChannelName, with errors as ParseTenant.
func ParseChannel(field, name string) (tenant, channel string, err error) {
	id, ok := segments(name, "tenants", "emailChannels")
	if !ok || !ValidID(id[0]) || !ValidID(id[1]) {
		return "", "", badName(field, "tenants/{tenant}/emailChannels/{email_channel}")
	}
	return id[0], id[1], nil
}

// ParseMessage is the inverse of MessageName, with errors as ParseTenant.
func ParseMessage(field, name string) (tenant, channel string, id ingest.MessageID, err error) {
	ids, ok := segments(name, "tenants", "emailChannels", "messages")
	if ok && ValidID(ids[0]) && ValidID(ids[1]) && canonicalUUID(ids[2]) {
		return ids[0], ids[1], ingest.MessageID(uuid.MustParse(ids[2])), nil
	}
	return "", "", id, badName(field, "tenants/{tenant}/emailChannels/{email_channel}/messages/{message}")
}

// ParseReplay is the inverse of ReplayName, with errors as ParseTenant.
func ParseReplay(field, name string) (tenant, id string, err error) {
	ids, ok := segments(name, "tenants", "replays")
	if !ok || !ValidID(ids[0]) || !canonicalUUID(ids[1]) {
		return "", "", badName(field, "tenants/{tenant}/replays/{replay}")
	}
	return ids[0], ids[1], nil
}

// segments takes the ids out of collection/id pairs.
func segments(name string, collections ...string) ([]string, bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 2*len(collections) {
		return nil, false
	}
	ids := make([]string, len(collections))
	for i, c := range collections {
		if parts[2*i] != c {
			return nil, false
		}
		ids[i] = parts[2*i+1]
	}
	return ids, true
}

// canonicalUUID accepts the one spelling of a UUID that we write, so that a resource has one name.
func canonicalUUID(s string) bool {
	u, err := uuid.Parse(s)
	return err == nil && u.String() == s
}

func badName(field, pattern string) error {
	return Invalid(Violation{Field: field, Description: "must have the form " + pattern + "; ids are lower-case letters, digits and hyphens"})
}
