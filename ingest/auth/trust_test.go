package auth

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

const (
	gmail = `
Delivered-To: me@example.org
Received: by 2002:a05:6a10:8a9:b0:4f0:1234:5678 with SMTP id hk41csp1; Mon, 1 Jun 2026 10:00:02 -0700 (PDT)
X-Google-Smtp-Source: AGHT
X-Received: by 2002:a05:6512:33d2:b0:517:87ba:afee with SMTP id d18-1; Mon, 1 Jun 2026 10:00:02 -0700 (PDT)
ARC-Seal: i=1; a=rsa-sha256; t=1; cv=none; d=google.com; s=arc-20240605; b=x==
ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=google.com; s=arc-20240605; h=from; bh=x=; b=x==
ARC-Authentication-Results: i=1; mx.google.com; dkim=pass header.i=@arc.example; spf=pass smtp.mailfrom=arc.example; dmarc=pass header.from=example.com
Return-Path: <news@bounce.example.com>
Received: from mail.example.com (mail.example.com. [192.0.2.9])
        by mx.google.com with ESMTPS id x1 for <me@example.org>; Mon, 1 Jun 2026 10:00:01 -0700 (PDT)
Received-SPF: pass (google.com: domain of news@bounce.example.com designates 192.0.2.9 as permitted sender) client-ip=192.0.2.9;
Authentication-Results: mx.google.com;
       dkim=pass header.i=@example.com header.s=s1 header.b=h0NUZJEY;
       spf=pass (google.com: domain of news@bounce.example.com designates 192.0.2.9 as permitted sender) smtp.mailfrom=news@bounce.example.com;
       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=example.com
Received: from app1 (app1.example.com [10.0.0.1]) by mail.example.com with ESMTP id y1; Mon, 1 Jun 2026 10:00:00 -0700
`
	exchange = `
Received: from AM0PR01MB01.eurprd01.prod.outlook.com (2603:10a6:208::15)
 by DB7PR01MB02.eurprd01.prod.outlook.com with HTTPS; Mon, 1 Jun 2026 17:00:03 +0000
Received: from DB8PR06CA0001.eurprd06.prod.outlook.com (2603:10a6:10:100::11)
 by AM0PR01MB01.eurprd01.prod.outlook.com (2603:10a6:208::15) with Microsoft SMTP
 Server (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.1; Mon, 1 Jun 2026 17:00:02 +0000
Received: from DB5EUR01FT023.eop-EUR01.prod.protection.outlook.com
 (2603:10a6:10:100:cafe::21) by DB8PR06CA0001.outlook.office365.com
 (2603:10a6:10:100::11) with Microsoft SMTP Server id 15.20.1 via Frontend Transport; Mon, 1 Jun 2026 17:00:02 +0000
Authentication-Results: spf=pass (sender IP is 192.0.2.9)
 smtp.mailfrom=bounce.example.com; dkim=pass (signature was verified)
 header.d=example.com;dmarc=pass action=none
 header.from=example.com;compauth=pass reason=100
Received-SPF: Pass (protection.outlook.com: domain of bounce.example.com designates 192.0.2.9 as permitted sender)
Received: from mail.example.com (192.0.2.9) by
 DB5EUR01FT023.mail.protection.outlook.com (10.152.4.239) with Microsoft SMTP
 Server id 15.20.1 via Frontend Transport; Mon, 1 Jun 2026 17:00:01 +0000
X-IncomingTopHeaderMarker: OriginalChecksum:1
`
	postfix = `
Return-Path: <news@bounce.example.com>
Delivered-To: me@example.org
Received: from mx1.example.org ([10.0.0.5]) by store.example.org with LMTP id a1; Mon, 1 Jun 2026 17:00:02 +0000
DKIM-Filter: OpenDKIM Filter v2.11.0 mx1.example.org 4F
Authentication-Results: mx1.example.org;
	dmarc=pass (p=none dis=none) header.from=example.com
Authentication-Results: mx1.example.org;
	dkim=pass (2048-bit key; unprotected) header.d=example.com header.i=@example.com header.a=rsa-sha256 header.s=s1 header.b=h0NUZJEY
Authentication-Results: mx1.example.org; spf=pass smtp.mailfrom=bounce.example.com
Received: from mail.example.com (mail.example.com [192.0.2.9])
	by mx1.example.org (Postfix) with ESMTPS id 4F for <me@example.org>; Mon, 1 Jun 2026 17:00:01 +0000 (UTC)
`
	message = `From: News <news@example.com>
To: me@example.org
Subject: x
Date: Mon, 1 Jun 2026 10:00:00 -0700

text
`
	forged = "Authentication-Results: %ID; spf=pass smtp.mailfrom=example.com; dkim=pass header.d=example.com header.s=s9; dmarc=pass header.from=example.com\n"
)

// pass is what each of the layouts above says.
func pass(id, selector string) ingest.Auth {
	return ingest.Auth{
		SPF: ingest.VerdictPass, DKIM: ingest.VerdictPass, DMARC: ingest.VerdictPass, Aligned: true, AuthservID: id, SPFDomain: "bounce.example.com",
		DKIMDomains: []ingest.DKIMResult{{Domain: "example.com", Selector: selector, Verdict: ingest.VerdictPass, By: id}},
	}
}

func TestCheckLayouts(t *testing.T) {
	t.Parallel()
	ignoring := func(a ingest.Auth, n int) ingest.Auth { a.Ignored = n; return a }
	none := ingest.Auth{DKIM: ingest.VerdictNone}
	tests := []struct {
		name, raw string
		ids       []string
		want      ingest.Auth
	}{
		{"Gmail", gmail + message, []string{"mx.google.com"}, pass("mx.google.com", "s1")},
		{"Gmail, identifier in capitals", gmail + message, []string{"x.example", "MX.Google.COM"}, pass("MX.Google.COM", "s1")},
		{"Gmail, not configured", gmail + message, nil, ignoring(none, 1)},
		{"Exchange Online", exchange + message, []string{"protection.outlook.com"}, pass("protection.outlook.com", "")},
		{"Exchange Online, another identifier", exchange + message, []string{"mx.google.com"}, ignoring(none, 1)},
		{"Exchange Online, a public suffix", exchange + message, []string{"com"}, ignoring(none, 1)},
		{"Postfix with milters", postfix + message, []string{"mx1.example.org"}, pass("mx1.example.org", "s1")},
		{"above the only hop", "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=bounce.example.com; dkim=pass header.d=example.com header.s=s1;\n dmarc=pass header.from=example.com\n" +
			"Received: from mail.example.com (mail.example.com [192.0.2.9]) by srv7.hoster.example with ESMTP\n" + message, []string{"mx.example.org"}, pass("mx.example.org", "s1")},
		{"no hops", "Authentication-Results: mx.example.org; spf=fail smtp.mailfrom=evil.example\n" + message, []string{"mx.example.org"},
			ingest.Auth{SPF: ingest.VerdictFail, SPFDomain: "evil.example", DKIM: ingest.VerdictNone, AuthservID: "mx.example.org"}},
		{"identifier with umlauts", "Authentication-Results: mx.xn--bcher-kva.example; spf=none\n" + message, []string{"mx.bücher.example"},
			ingest.Auth{SPF: ingest.VerdictNone, DKIM: ingest.VerdictNone, AuthservID: "mx.bücher.example"}},
		{"folded, with comments and a version", "Authentication-Results:\n (a (nested) comment) mx.example.org\n (x)\n 1 (y);\n spf=softfail (z) smtp.mailfrom=a@evil.example\n" + message, []string{"mx.example.org"},
			ingest.Auth{SPF: ingest.VerdictFail, SPFDomain: "evil.example", DKIM: ingest.VerdictNone, AuthservID: "mx.example.org"}},
		{"nothing was checked", "Authentication-Results: mx.example.org; none\n" + message, []string{"mx.example.org"}, ingest.Auth{DKIM: ingest.VerdictNone, AuthservID: "mx.example.org"}},
		{"temporary errors", "Authentication-Results: mx.example.org; spf=temperror; dkim=temperror header.d=example.com; dmarc=temperror\n" + message, []string{"mx.example.org"},
			ingest.Auth{AuthservID: "mx.example.org", DKIMDomains: []ingest.DKIMResult{{Domain: "example.com", By: "mx.example.org", Detail: "temperror"}}}},
		{"not signed", "Authentication-Results: mx.example.org; dkim=none (message not signed) header.d=none; dmarc=bestguesspass\n" + message, []string{"mx.example.org"},
			ingest.Auth{DKIM: ingest.VerdictNone, DMARC: ingest.VerdictNone, AuthservID: "mx.example.org"}},
		{"empty sender: the name in HELO", "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=<> smtp.helo=mail.example.com\n" + message, []string{"mx.example.org"},
			ingest.Auth{SPF: ingest.VerdictPass, SPFDomain: "mail.example.com", Aligned: true, DKIM: ingest.VerdictNone, AuthservID: "mx.example.org"}},
		{"SPF of HELO and of the sender", "Authentication-Results: mx.example.org; spf=pass smtp.helo=mail.example.com; spf=fail smtp.mailfrom=evil.example\n" + message, []string{"mx.example.org"},
			ingest.Auth{SPF: ingest.VerdictFail, SPFDomain: "evil.example", DKIM: ingest.VerdictNone, AuthservID: "mx.example.org"}},
		{"passes of other domains", "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=a.example; dkim=pass header.d=b.example; dmarc=fail header.from=example.com\n" + message, []string{"mx.example.org"},
			ingest.Auth{SPF: ingest.VerdictPass, SPFDomain: "a.example", DKIM: ingest.VerdictPass, DMARC: ingest.VerdictFail, AuthservID: "mx.example.org",
				DKIMDomains: []ingest.DKIMResult{{Domain: "b.example", Verdict: ingest.VerdictPass, By: "mx.example.org"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Check(t.Context(), people("news@example.com"), opener(crlf(tt.raw)), Options{AuthservIDs: tt.ids})
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("-got +want:\n%s", diff)
			}
		})
	}
}

// Nothing that a sender writes makes a pass.
func TestCheckForgeries(t *testing.T) {
	t.Parallel()
	const id = "mx.example.org"
	border := "Received: from evil.example (evil.example [192.0.2.66]) by mx.example.org (Postfix) with ESMTP id 1\n"
	own := "Authentication-Results: mx.example.org; spf=fail smtp.mailfrom=evil.example\n"
	fake := "Authentication-Results: mx.example.org; spf=pass smtp.mailfrom=example.com; dkim=pass header.d=example.com; dmarc=pass header.from=example.com\n"
	spoofed := "Received: from bank.example (bank.example [192.0.2.1]) by mx.example.org (Postfix) with ESMTP id 2\n"
	with := func(s string) string { return "Authentication-Results: " + s + "\n" }
	const good = "spf=pass smtp.mailfrom=example.com; dkim=pass header.d=example.com; dmarc=pass header.from=example.com"
	tests := []struct {
		name, raw string
		ignored   int
		from      []ingest.Address
	}{
		{"below our own, above the border", own + border + fake + message, 1, nil},
		{"below our own, below the border", border + own + fake + message, 1, nil},
		{"below another hop", border + spoofed + fake + message, 1, nil},
		{"below a hop of its own that looks internal", border + "Received: by mx.example.org (Postfix) id 3\n" + fake + message, 1, nil},
		{"a client that calls itself by our name", "Received: from mx.example.org (unknown [192.0.2.66]) by mx.example.org with ESMTP id 1\n" + spoofed + fake + message, 1, nil},
		{"a client that calls itself by a loopback address", "Received: from [127.0.0.1] (evil.example [192.0.2.66]) by mx.example.org with ESMTP id 1\n" + spoofed + fake + message, 1, nil},
		{"below From", border + message[:len("From: News <news@example.com>\n")] + fake + message[len("From: News <news@example.com>\n"):], 1, nil},
		{"below a signature", "DKIM-Signature: v=1; d=x\n" + fake + message, 1, nil},
		{"directly below the border of another server", "Received: from evil.example (evil.example [192.0.2.66]) by srv7.hoster.example with ESMTP id 1\n" + fake + message, 1, nil},
		{"second below the border", border + with("evil.example; none") + fake + message, 2, nil},
		{"no hops, below our own", own + fake + message, 1, nil},
		{"longer identifier", with("mx.example.org.evil.example; "+good) + border + message, 1, nil},
		{"shorter identifier", with("example.org; "+good) + border + message, 1, nil},
		{"our identifier as a comment", with("evil.example (mx.example.org); "+good) + border + message, 1, nil},
		{"our identifier behind a comment that is not closed", with("(x mx.example.org; "+good) + border + message, 1, nil},
		{"our identifier as a second word", with("evil.example mx.example.org; "+good) + border + message, 1, nil},
		{"two words", with("mx.example.org evil.example; "+good) + border + message, 0, nil},
		{"another version", with("mx.example.org 2; "+good) + border + message, 0, nil},
		{"our identifier as a result", with("evil.example; mx.example.org; "+good) + border + message, 1, nil},
		{"identifier with a dot at the end", with("mx.example.org.; "+good) + border + message, 1, nil},
		{"identifier in quotes with more in it", with("\"mx.example.org; x\"; "+good) + border + message, 1, nil},
		{"a name that is nearly the field's", "Authentication-Results-Original: mx.example.org; " + good + "\nX-Authentication-Results: mx.example.org; " + good + "\n" + border + message, 0, nil},
		{"results of ARC", "ARC-Authentication-Results: i=1; mx.example.org; " + good + "\n" + border + message, 0, nil},
		{"a comment that the sender opened", with("mx.example.org; spf=fail (domain of (x@evil.example) smtp.mailfrom=x; "+good) + border + message, 0, nil},
		{"a quotation that the sender closed", with("mx.example.org; spf=fail smtp.mailfrom=\"a\" b\"; "+good) + border + message, 0, nil},
		{"a result inside a comment", with("mx.example.org; spf=fail ("+good+") smtp.mailfrom=evil.example") + border + message, 0, nil},
		{"a pass that the other results contradict", with("mx.example.org; spf=fail smtp.mailfrom=evil.example; dkim=fail header.d=evil.example; dmarc=pass header.from=example.com") + border + message, 0, nil},
		{"a pass of another From", with("mx.example.org; dmarc=pass header.from=other.example") + border + message, 0, nil},
		{"two From fields", with("mx.example.org; dmarc=pass header.from=example.com") + border + "From: other@other.example\n" + message, 0, nil},
		{"two addresses in From", with("mx.example.org; dmarc=pass header.from=example.com") + border + message, 0, people("news@example.com", "x@other.example")},
		{"no address in From", with("mx.example.org; dmarc=pass header.from=example.com") + border + message, 0, []ingest.Address{}},
		{"another address than the field has", with("mx.example.org; dmarc=pass header.from=bank.example") + border + message, 0, people("ceo@bank.example")},
		{"without identifier", with(good) + border + message, 1, nil},
		{"header without end", with("mx.example.com; "+good) + message[:20], 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			from := tt.from
			if from == nil {
				from = people("news@example.com")
			}
			a := Check(t.Context(), from, opener(crlf(tt.raw)), Options{AuthservIDs: []string{id}})
			if a.SPF == ingest.VerdictPass || a.DKIM == ingest.VerdictPass || a.DMARC == ingest.VerdictPass || a.Aligned {
				t.Errorf("passed: %+v", a)
			}
			if a.Ignored != tt.ignored {
				t.Errorf("%d fields ignored, want %d: %+v", a.Ignored, tt.ignored, a)
			}
		})
	}
}
