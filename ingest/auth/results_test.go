package auth

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseResults(t *testing.T) {
	t.Parallel()
	props := func(s ...string) (list []property) {
		for i := 0; i < len(s); i += 2 {
			list = append(list, property{s[i], s[i+1]})
		}
		return list
	}
	tests := []struct {
		name, value string
		want        results
	}{
		{"RFC 8601 B.2", `example.org 1; none`, results{id: "example.org"}},
		{"RFC 8601 B.3", `example.com; spf=pass smtp.mailfrom=example.net`,
			results{id: "example.com", list: []result{{method: "spf", value: "pass", properties: props("smtp.mailfrom", "example.net")}}}},
		{"RFC 8601 B.4", "example.com; auth=pass (cram-md5) smtp.auth=sender@example.net; spf=pass smtp.mailfrom=example.net",
			results{id: "example.com", list: []result{{method: "auth", value: "pass", properties: props("smtp.auth", "sender@example.net")},
				{method: "spf", value: "pass", properties: props("smtp.mailfrom", "example.net")}}}},
		{"RFC 8601 B.7", `foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail policy (A dot can go here) . (like that) expired (this surprised me) = (as I wasn't expecting it) 1362471462`,
			results{id: "foo.example.net", list: []result{{method: "dkim", value: "fail", broken: true, properties: props("expired", "1362471462")}}}},
		{"quoted strings", `"mx.example.com"; dkim=pass reason="good; (really) \"so\"" header.d="example.com" header.i="a b"@example.com`,
			results{id: "mx.example.com", list: []result{{method: "dkim", value: "pass", reason: `good; (really) "so"`, properties: props("header.d", "example.com", "header.i", "a b@example.com")}}}},
		{"Google", "mx.google.com;       dkim=pass header.i=@example.com header.s=s1 header.b=h0+/NU==;       spf=pass (google.com: domain of srs0=63fc=v7=a.example=b@c.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=\"SRS0=63fc=V7=a.example=b@c.example\";       dmarc=fail (p=NONE sp=NONE dis=NONE) header.from=a.example",
			results{id: "mx.google.com", list: []result{
				{method: "dkim", value: "pass", properties: props("header.i", "@example.com", "header.s", "s1", "header.b", "h0+/NU==")},
				{method: "spf", value: "pass", properties: props("smtp.mailfrom", "SRS0=63fc=V7=a.example=b@c.example")},
				{method: "dmarc", value: "fail", properties: props("header.from", "a.example")}}}},
		{"Exchange Online", "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=example.com; contoso.example; dkim=pass (signature was verified) header.d=example.com;dmarc=pass action=none header.from=example.com;compauth=pass reason=100",
			results{list: []result{
				{method: "spf", value: "pass", properties: props("smtp.mailfrom", "example.com")},
				{method: "dkim", value: "pass", properties: props("header.d", "example.com")},
				{method: "dmarc", value: "pass", properties: props("action", "none", "header.from", "example.com")},
				{method: "compauth", value: "pass", reason: "100"}}}},
		{"a comment that is not closed", "mx.example.com; spf=fail (domain of a(b@evil.example; dkim=pass header.d=bank.example",
			results{id: "mx.example.com", broken: true, list: []result{{method: "spf", value: "fail"}}}},
		{"a comment that is closed twice", "mx.example.com; spf=fail (domain of x) ; dkim=pass header.d=bank.example (y) z)",
			results{id: "mx.example.com", broken: true, list: []result{{method: "spf", value: "fail"}, {method: "dkim", value: "pass", broken: true, properties: props("header.d", "bank.example")}}}},
		{"a quotation that is not closed", `mx.example.com; spf=fail smtp.mailfrom="x; dkim=pass header.d=bank.example`,
			results{id: "mx.example.com", broken: true, list: []result{{method: "spf", value: "fail", properties: props("smtp.mailfrom", "x; dkim=pass header.d=bank.example")}}}},
		{"two values", "mx.example.com; dkim=pass header.d=evil.example header.d=bank.example",
			results{id: "mx.example.com", list: []result{{method: "dkim", value: "pass", broken: true, properties: props("header.d", "evil.example", "header.d", "bank.example")}}}},
		{"another version", "mx.example.com 2; spf=pass", results{id: "mx.example.com", broken: true}},
		{"another host behind", "mx.example.com evil.example; spf=pass", results{id: "mx.example.com", broken: true}},
		{"nothing", "", results{}},
		{"an identifier alone", "mx.example.com", results{id: "mx.example.com"}},
		{"semicolons", ";;;", results{}},
		{"a method without a value", "mx; spf=; =pass; dkim", results{id: "mx"}},
		{"a control character", "mx.example.com; spf=pass\x00 smtp.mailfrom=a", results{id: "mx.example.com", broken: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(parseResults(tt.value), tt.want, cmp.AllowUnexported(results{}, result{}, property{})); diff != "" {
				t.Errorf("-got +want:\n%s", diff)
			}
		})
	}
}

func TestInside(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		// within a host, or between private addresses
		"by 2002:a05:6a10:8a9:b0:4f0:1:2 with SMTP id a1csp1; Mon, 6 Jun 2026":                                       true,
		"(qmail 99419 invoked from network); 30 Jun 2022 22:27:07 -0000":                                             true,
		"from mx1 (mx1.internal [10.202.2.45]) by store (Cyrus 3.11) with LMTPA; Mon":                                true,
		"from localhost (localhost [127.0.0.1]) by mail.example.com (Postfix) with ESMTP id 1":                       true,
		"from mail.example.com ([unix socket]) by mail.example.com with LMTP":                                        true,
		"from mx1.example.com by store.example.com with LMTP id 1":                                                   true,
		"from mx1.example.com (mx1.example.com [192.0.2.7]) by store.example.com (Postfix) with ESMTP":               true,
		"from [IPv6:fd00::1] (unknown [IPv6:fd00::1]) by mail.example.com":                                           true,
		"from AM0PR01.eurprd01.prod.outlook.com (2603:10a6:208::15) by DB7PR06CA01.outlook.office365.com with HTTPS": true,
		// from outside
		"from mail.sender.example (mail.sender.example [192.0.2.9]) by mx.example.com (Postfix) with ESMTPS id 1":    false,
		"from mx.example.com (unknown [192.0.2.9]) by mx.example.com (Postfix) with ESMTP id 1":                      false,
		"from mx.example.com (evil.example. [192.0.2.9]) by mx.example.com with ESMTP id 1":                          false,
		"from mx.example.com (mx.example.com [192.0.2.9] (may be forged)) by mx.example.com with ESMTP id 1":         false,
		"from [127.0.0.1] (evil.example [192.0.2.9]) by mx.example.com":                                              false,
		"from mx.example.com ([192.0.2.9]) by mx.example.com":                                                        false,
		"from unknown (HELO mx.example.com) (192.0.2.9) by mx.example.com with SMTP":                                 false,
		"from evil.example ([192.0.2.9] helo=mx.example.com) by mx.example.com with esmtp (Exim 4.96)":               false,
		"by mx.example.com from evil.example (evil.example [192.0.2.9]) with SMTP":                                   false,
		"(x) FROM evil.example\t([192.0.2.9])  BY mx.example.com":                                                    false,
		"from \"mx.example.com by mx.example.com":                                                                    false,
		"from localhost by mx.example.com":                                                                           false,
		"from mail.sender.example (192.0.2.9) by DB5EUR01FT023.mail.protection.outlook.com (10.152.4.239) with SMTP": false,
		"from a.co.uk by b.co.uk": false,
	} {
		h := parseReceived(value)
		if got := h.inside(); got != want {
			t.Errorf("%s\n%+v: %v, want %v", value, h, got, want)
		}
	}
}

func TestAligned(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"example.com", "example.com", true}, {"news.example.com", "example.com", true}, {"a.example.com", "b.example.com", true},
		{"example.com", "example.net", false}, {"notexample.com", "example.com", false}, {"a.co.uk", "b.co.uk", false}, {"co.uk", "a.co.uk", false},
		{"a.github.io", "b.github.io", false}, {"bücher.example", "xn--bcher-kva.example", true}, {"EXAMPLE.com.", "example.COM", true},
		{"", "", false}, {"192.0.2.1", "192.0.2.1", false}, {"[192.0.2.1]", "[192.0.2.1]", false}, {"9.0.2.1", "8.0.2.1", false},
	} {
		if got := aligned(ascii(tt.a), ascii(tt.b)); got != tt.want {
			t.Errorf("%s and %s: %v", tt.a, tt.b, got)
		}
	}
}

func TestReadHeader(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		raw  string
		want []field
		size int64
		cut  bool
	}{
		"usual": {"A: b\r\nC: d\r\n  e\r\n\r\nX: body\r\n", []field{{"a", "A: b\r\n"}, {"c", "C: d\r\n  e\r\n"}}, 19, false},
		"LF":    {"A: b\n\nX: y", []field{{"a", "A: b\r\n"}}, 6, false},
		"CR":    {"A: b\rC:\td\r\rX: y\r", []field{{"a", "A: b\r\n"}, {"c", "C:\td\r\n"}}, 11, false},
		"what stands before": {"\xef\xbb\xbf\r\n\nFrom a@b Mon\r\nA : b\r\njunk\r\n  and more\r\nB: c\r\n\r\n",
			[]field{{"a", "A : b\r\n"}, {"b", "B: c\r\n"}}, 53, false},
		"no end":      {"A: b", []field{{"a", "A: b\r\n"}}, 4, false},
		"nothing":     {"", nil, 0, false},
		"a long line": {"A: " + strings.Repeat("x", 40000) + "\r\nB: c\r\n\r\n", []field{{"a", "A: " + strings.Repeat("x", 40000) + "\r\n"}, {"b", "B: c\r\n"}}, 40013, false},
		"too long":    {"A: b\r\nC: " + strings.Repeat("x", maxHeader), []field{{"a", "A: b\r\n"}}, 0, true},
	} {
		h, err := readHeader(strings.NewReader(tt.raw))
		if err != nil {
			t.Fatal(err)
		}
		if tt.cut {
			h.fields, h.size = h.fields[:1], 0
		}
		if diff := cmp.Diff(*h, header{tt.want, tt.size, tt.cut}, cmp.AllowUnexported(header{}, field{})); diff != "" {
			t.Errorf("%s: -got +want:\n%s", name, diff)
		}
	}
}
