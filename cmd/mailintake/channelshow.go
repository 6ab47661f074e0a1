package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// describeChannel writes everything about a channel that is not empty, settings first.
func describeChannel(w io.Writer, ch *mailintakev1.EmailChannel, now time.Time) error {
	f := newFacts(w)
	f.add("name", ch.GetName())
	f.add("display name", ch.GetDisplayName())
	f.add("address", ch.GetEmailAddress())
	f.add("aliases", strings.Join(ch.GetAliases(), ", "))
	f.add("description", ch.GetDescription())
	for _, key := range slices.Sorted(maps.Keys(ch.GetLabels())) {
		f.add("label", key+"="+ch.GetLabels()[key])
	}
	f.add("script", ch.GetScript())
	server := ch.GetHost()
	if ch.GetPort() != 0 {
		server = net.JoinHostPort(server, strconv.Itoa(int(ch.GetPort())))
	}
	server = ch.GetProtocol().String() + " " + server
	if ch.GetStarttls() == mailintakev1.EmailChannel_Tls_DISABLED {
		server += ", in clear (starttls disabled)"
	}
	f.add("server", server)
	f.add("certificate name", ch.GetTls().GetServerName())
	if n := strings.Count(ch.GetTls().GetCaPem(), "BEGIN CERTIFICATE"); n > 0 {
		f.add("trusted certificates", fmt.Sprintf("%d of its own", n))
	}
	user := ch.GetUsername()
	if !ch.GetPasswordSet() {
		user += ", no password stored"
	}
	f.add("user", user)
	f.add("folder", strings.Join(ch.GetFolders(), ", "))
	f.add("poll interval", ch.GetPollInterval().AsDuration().String())
	sync := ch.GetInitialSync().String()
	if at := ch.GetInitialSyncTime(); at != nil {
		sync += " " + stamp(at)
	}
	f.add("initial sync", sync)
	f.add("settlement", ch.GetSettlement().String())
	f.add("fallback charset", ch.GetFallbackCharset())
	f.add("believes results of", strings.Join(ch.GetAuthservIds(), ", "))
	f.add("largest message", octets(ch.GetMaxMessageBytes()))
	f.add("created", stamp(ch.GetCreateTime()))
	f.add("changed", stamp(ch.GetUpdateTime()))
	f.add("deleted", stamp(ch.GetDeleteTime()))
	f.add("etag", ch.GetEtag())
	describeStatus(f, ch, now)
	return f.flush()
}

// describeStatus adds how reading goes.
func describeStatus(f facts, ch *mailintakev1.EmailChannel, now time.Time) {
	s := ch.GetStatus()
	state := ch.GetState().String()
	if since := ago(s.GetSinceTime(), now); since != "" {
		state += ", since " + strings.TrimSuffix(since, " ago")
	}
	f.add("state", state)
	if n := s.GetConsecutiveFailures(); n > 0 {
		f.add("failures in a row", strconv.FormatInt(n, 10))
	}
	f.add("reason", s.GetReason())
	f.add("what failed", s.GetDetail())
	f.add("the server said", s.GetServerText())
	f.add("what to do", s.GetHint())
	f.add("last visit", ago(s.GetLastAttemptTime(), now))
	f.add("last success", ago(s.GetLastSuccessTime(), now))
	if ch.GetEnabled() && ch.GetDeleteTime() == nil {
		f.add("next visit", until(s.GetNextAttemptTime(), now))
	}
	if c := s.GetLastVisit(); c != nil {
		f.add("last news", describeCounts(c))
	}
	if c := s.GetCursor(); c != nil {
		f.add("read up to", fmt.Sprintf("UID %d of %s (UIDVALIDITY %d)", c.GetLastUid(), c.GetFolder(), c.GetUidValidity()))
	}
	f.add("backlog", strconv.FormatInt(s.GetBacklog(), 10))
	if n := s.GetDeferred(); n > 0 {
		f.add("deferred", strconv.FormatInt(n, 10)+", tried again by itself")
	}
	if n := s.GetQuarantined(); n > 0 {
		f.add("quarantined", strconv.FormatInt(n, 10)+", too large or given up")
	}
	if n := s.GetNextSequence(); n > 0 {
		f.add("next event", "#"+strconv.FormatInt(n, 10))
	}
	f.add("read by", s.GetOwner())
}

// describeCounts tells what became of the messages of a visit.
func describeCounts(c *mailintakev1.EmailChannel_Counts) string {
	parts := []string{fmt.Sprintf("%d listed", c.GetListed())}
	for _, p := range []struct {
		n    int64
		what string
	}{{c.GetKnown(), "known"}, {c.GetStored(), "stored"}, {c.GetDuplicate(), "duplicate"}, {c.GetDeferred(), "deferred"},
		{c.GetQuarantined(), "quarantined"}, {c.GetSkipped(), "skipped"}, {c.GetGone(), "gone"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(parts, ", ")
}
