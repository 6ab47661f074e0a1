package mime

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mailintake/mailintake/ingest"
)

// TestCorpusClasses lists the messages of all sources but Sisimai's that are taken for something else than mail of a
// person, a list or a program: a person's mail that is wrongly among them would never be answered.
func TestCorpusClasses(t *testing.T) {
	t.Parallel()
	dir := corpusDir(t)
	want := make(map[string]string)
	for line := range strings.Lines(`
		AUTO_REPLY php-mime-mail-parser/msg/tests/mails/issue212
		BOUNCE cpython/msg/msg_16.txt
		BOUNCE cpython/msg/msg_25.txt
		BOUNCE cpython/msg/msg_43.txt
		BOUNCE enmime/msg/dsn/testdata/delayed_dsn.raw
		BOUNCE enmime/msg/dsn/testdata/dsn_with_multipart_alternative.raw
		BOUNCE enmime/msg/dsn/testdata/multi_recipient_dsn.raw
		BOUNCE enmime/msg/dsn/testdata/simple_dsn.raw
		BOUNCE enmime/msg/dsn/testdata/simple_dsn_with_html.raw
		BOUNCE enmime/msg/testdata/mail/multipart-wo-boundary.raw
		AUTO_REPLY notmuch/msg/test/corpora/threading/ghost-root/1532672447.R3166642290392477575.len_2,S
		BOUNCE flanker/msg/tests/fixtures/messages/bounce/broken-mime.eml
		BOUNCE flanker/msg/tests/fixtures/messages/bounce/delayed-broken.eml
		BOUNCE flanker/msg/tests/fixtures/messages/bounce/delayed.eml
		BOUNCE flanker/msg/tests/fixtures/messages/bounce/gmail-invalid-address.eml
		BOUNCE flanker/msg/tests/fixtures/messages/bounce/gmail-no-dns.eml
		BOUNCE flanker/msg/tests/fixtures/messages/bounce/mailbox-full.eml
		BOUNCE flanker/msg/tests/fixtures/messages/bounce/no-mx.eml
		BOUNCE flanker/msg/tests/fixtures/messages/bounce/office365.eml
		BOUNCE flanker/msg/tests/fixtures/messages/bounce/zed.eml
		COMPLAINT flanker/msg/tests/fixtures/messages/complaints/aol.eml
		COMPLAINT flanker/msg/tests/fixtures/messages/complaints/yahoo.eml
		READ_RECEIPT flanker/msg/tests/fixtures/messages/disposition-notification.eml
		BOUNCE mailparser/msg/test/fixtures/delivery-status.eml
		BOUNCE mime4j/msg/core/src/test/resources/mimetools-testmsgs/badbound.msg
		COMPLAINT postal-mime/msg/test/fixtures/arf.eml
		BOUNCE postal-mime/msg/test/fixtures/bounce.eml
		BOUNCE ruby-mail/msg/spec/fixtures/emails/mime_emails/raw_email_with_mimepart_without_content_type.eml
		BOUNCE ruby-mail/msg/spec/fixtures/emails/multipart_report_emails/multi_address_bounce1.eml
		BOUNCE ruby-mail/msg/spec/fixtures/emails/multipart_report_emails/multipart_report_multiple_status.eml
		BOUNCE ruby-mail/msg/spec/fixtures/emails/multipart_report_emails/report_422.eml
		BOUNCE ruby-mail/msg/spec/fixtures/emails/multipart_report_emails/report_530.eml
	`) {
		if class, path, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			want[path] = class
		}
	}
	got := make(map[string]string)
	counts := make(map[ingest.Class]int)
	for _, path := range manifest(t, dir) {
		if strings.HasPrefix(path, "sisimai/") {
			continue
		}
		m := parseCorpusFile(t, filepath.Join(dir, path))
		counts[m.Class]++
		switch m.Class {
		case ingest.ClassHuman, ingest.ClassList, ingest.ClassSystem, ingest.ClassCalendar:
		default:
			got[path] = string(m.Class)
		}
	}
	t.Log(counts)
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

// TestCorpusLineEnds: what a bounce says does not depend on its line ends; Sisimai's collection has some with CRLF and bare
// CR. What it has under "not" is not to be taken for a bounce.
func TestCorpusLineEnds(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpusDir(t), "sisimai", "msg", "maildir")
	compared := 0
	for _, kind := range []string{"dos", "mac"} {
		files, err := filepath.Glob(filepath.Join(dir, kind, "*.eml"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			m := parseCorpusFile(t, file)
			if m.Class == ingest.ClassHuman {
				t.Errorf("%s is HUMAN", file)
			}
			bsd := filepath.Join(dir, "bsd", filepath.Base(file))
			if _, err := os.Stat(bsd); err != nil {
				continue // not among the others
			}
			compared++
			same := parseCorpusFile(t, bsd)
			if m.Class != same.Class {
				t.Errorf("%s: %s, with LF %s", file, m.Class, same.Class)
			}
			if m.Bounce == nil || same.Bounce == nil {
				continue
			}
			strip := func(list []ingest.BounceRecipient) (out []ingest.BounceRecipient) {
				for _, r := range list {
					r.Diagnostic = "" // the copies are of different states of a message
					out = append(out, r)
				}
				return out
			}
			if diff := cmp.Diff(strip(m.Bounce.Recipients), strip(same.Bounce.Recipients)); diff != "" {
				t.Errorf("%s, against LF: %s", file, diff)
			}
		}
	}
	if compared < 80 {
		t.Errorf("%d pairs compared", compared)
	}
	files, err := filepath.Glob(filepath.Join(dir, "not", "*.eml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if m := parseCorpusFile(t, file); m.Class == ingest.ClassBounce {
			t.Errorf("%s is a bounce: %v", file, m.Evidence)
		}
	}
}

// manifest lists the whole messages of the corpus.
func manifest(t *testing.T, dir string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var entries []struct{ Source, Path, Kind string }
	if err := json.Unmarshal(raw, &entries); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		if e.Kind == "message" {
			list = append(list, e.Path)
		}
	}
	return list
}
