package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// attach puts one message with two parts into channel support; the octets of part 1 are raw.
func (b *bench) attach(t *testing.T, raw []byte) (name string) {
	t.Helper()
	b.create(t, "support")
	b.deliver(1, raw)
	m := &b.store.messages[0]
	m.Mail.Parts = []ingest.Part{
		{Path: "1", ContentType: "text/html", Filename: "../a\u202egpj.exe", ContentID: "logo@example.com", Size: int64(len(raw)), SHA256: hash(string(raw))},
		{Path: "2", ContentType: "image/png", ContentID: "a b", SHA256: hash("")},
	}
	return m.Name()
}

// read gives the first response and all octets.
func (b *bench) read(t *testing.T, r *mailintakev1.ReadAttachmentRequest) (first *mailintakev1.ReadAttachmentResponse, data []byte, err error) {
	t.Helper()
	stream, err := b.messages.ReadAttachment(t.Context(), r)
	if err != nil {
		return nil, nil, err
	}
	for {
		piece, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return first, data, nil
		case err != nil:
			return first, data, err
		case first == nil:
			first = piece
		case piece.GetPart() != nil || piece.GetSafeFilename() != "" || piece.GetSafeContentType() != "":
			t.Error("a response that is not the first describes the part")
		case len(piece.GetData()) == 0 || len(piece.GetData()) > 256<<10:
			t.Errorf("got a piece of %d octets", len(piece.GetData()))
		}
		data = append(data, piece.GetData()...)
	}
}

func TestReadAttachment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raw := bytes.Repeat([]byte("0123456789\r\n\x00\xff"), 50_000) // 700,000 octets
	name := b.attach(t, raw)
	for _, offset := range []int64{0, 1, 256 << 10, 256<<10 + 1, int64(len(raw)) - 1, int64(len(raw))} {
		first, data, err := b.read(t, &mailintakev1.ReadAttachmentRequest{Name: name, Part: "1", Offset: offset})
		if err != nil || !bytes.Equal(data, raw[offset:]) {
			t.Errorf("from %d: got %d octets, want %d: %v", offset, len(data), len(raw)-int(offset), err)
		}
		wanted := &mailintakev1.ReadAttachmentResponse{
			Part: &mailintakev1.Part{Path: "1", ContentType: "text/html", Filename: "../a\u202egpj.exe", ContentId: "logo@example.com", SizeBytes: int64(len(raw)), Sha256: hash(string(raw))},
			// The direction does not turn, and the type is nothing that a browser runs.
			SafeFilename: "_agpj.exe", SafeContentType: "application/octet-stream",
		}
		if diff := cmp.Diff(wanted, first, protocmp.Transform()); diff != "" {
			t.Errorf("from %d: %s", offset, diff)
		}
	}
	for _, id := range []string{"logo@example.com", "<logo@example.com>", "cid:logo@example.com", "logo%40example.com"} {
		if _, data, err := b.read(t, &mailintakev1.ReadAttachmentRequest{Name: name, ContentId: id}); err != nil || len(data) != len(raw) {
			t.Errorf("%s: %d octets, %v", id, len(data), err)
		}
	}
	// Part 2 is empty; the parser of this test does not find it, which is another thing than not being on record.
	_, _, err := b.read(t, &mailintakev1.ReadAttachmentRequest{Name: name, ContentId: "a%20b"})
	want(t, err, codes.DataLoss, "PART_CHANGED")
}

func TestReadAttachmentRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	name := b.attach(t, []byte("raw"))
	for _, tt := range []struct {
		name   string
		r      *mailintakev1.ReadAttachmentRequest
		code   codes.Code
		reason string
		field  []string
	}{
		{"neither", &mailintakev1.ReadAttachmentRequest{}, codes.InvalidArgument, "INVALID_FIELD", []string{"part"}},
		{"both", &mailintakev1.ReadAttachmentRequest{Part: "1", ContentId: "a b"}, codes.InvalidArgument, "INVALID_FIELD", []string{"part"}},
		{"negative offset", &mailintakev1.ReadAttachmentRequest{Part: "1", Offset: -1}, codes.InvalidArgument, "INVALID_FIELD", []string{"offset"}},
		{"offset behind the end", &mailintakev1.ReadAttachmentRequest{Part: "1", Offset: 4}, codes.InvalidArgument, "INVALID_FIELD", []string{"offset"}},
		{"long path", &mailintakev1.ReadAttachmentRequest{Part: strings.Repeat("1", 257)}, codes.InvalidArgument, "INVALID_FIELD", []string{"part"}},
		{"long Content-ID", &mailintakev1.ReadAttachmentRequest{ContentId: strings.Repeat("1", 999)}, codes.InvalidArgument, "INVALID_FIELD", []string{"content_id"}},
		{"no such part", &mailintakev1.ReadAttachmentRequest{Part: "1.1"}, codes.NotFound, "PART_NOT_FOUND", nil},
		{"no such Content-ID", &mailintakev1.ReadAttachmentRequest{ContentId: "%zz"}, codes.NotFound, "PART_NOT_FOUND", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.Name = name
			_, _, err := b.read(t, tt.r)
			want(t, err, tt.code, tt.reason, tt.field...)
			if tt.code == codes.NotFound && !strings.Contains(err.Error(), map[bool]string{true: "it has 1, 2", false: "it has logo@example.com, a b"}[tt.r.GetPart() != ""]) {
				t.Errorf("does not name the parts: %v", err)
			}
		})
	}
	_, _, err := b.read(t, &mailintakev1.ReadAttachmentRequest{Name: control.MessageName("acme", "support", ingest.MessageID{}), Part: "1"})
	want(t, err, codes.NotFound, "RESOURCE_NOT_FOUND")
}

func TestReadAttachmentFaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raw := bytes.Repeat([]byte("x"), 600_000)
	name := b.attach(t, raw)
	whole := b.parser.Extract
	for _, tt := range []struct {
		name    string
		raw     []byte
		extract func(r io.Reader, size int64, path string, s *control.Settings, w io.Writer) (ingest.Part, bool, error)
		code    codes.Code
		reason  string
	}{
		{"raw message ends early", raw[:300_000], whole, codes.DataLoss, "RAW_INCOMPLETE"},
		{"raw message is gone", nil, whole, codes.DataLoss, "RAW_INCOMPLETE"},
		{"other octets", append(bytes.Clone(raw[1:]), 'y'), whole, codes.DataLoss, "PART_CHANGED"},
		{"a parser that swallows the reader's error", raw[:300_000], func(r io.Reader, _ int64, _ string, _ *control.Settings, w io.Writer) (ingest.Part, bool, error) {
			_, _ = io.Copy(w, r)
			return ingest.Part{}, true, nil
		}, codes.DataLoss, "RAW_INCOMPLETE"},
		{"a part that is not found today", raw, func(io.Reader, int64, string, *control.Settings, io.Writer) (ingest.Part, bool, error) {
			return ingest.Part{}, false, nil
		}, codes.DataLoss, "PART_CHANGED"},
	} {
		b.store.raw[b.store.messages[0].ID], b.parser.Extract = tt.raw, tt.extract
		_, data, err := b.read(t, &mailintakev1.ReadAttachmentRequest{Name: name, Part: "1"})
		c, reason, _ := fields(err)
		if c != tt.code || reason != tt.reason || len(data) > len(raw) {
			t.Errorf("%s: got %v %s after %d octets", tt.name, c, reason, len(data))
		}
	}
}

// A client that goes away ends the reading of the message; one that is slow does not make the server read ahead.
func TestReadAttachmentWaitsForItsClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raw := bytes.Repeat([]byte("x"), 32<<20)
	name := b.attach(t, raw)
	taken, ended := make(chan int64, 1), make(chan error, 1)
	b.parser.Extract = func(r io.Reader, _ int64, _ string, _ *control.Settings, w io.Writer) (ingest.Part, bool, error) {
		n, err := io.Copy(w, r)
		taken <- n
		ended <- err
		return ingest.Part{}, true, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := b.messages.ReadAttachment(ctx, &mailintakev1.ReadAttachmentRequest{Name: name, Part: "1"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if n, err := <-taken, <-ended; n > 16<<20 || err == nil {
		t.Errorf("read %d octets for a client that took two pieces: %v", n, err)
	}
}
