package main

import (
	"encoding/base64"
	"fmt"
	"mime"
	"strings"
	"time"
)

// sampleMail is the n-th mail of an invented customer to one of the demo's addresses: plain text, HTML, an attachment,
// other alphabets, a reply.
func sampleMail(n int, to string, at time.Time) []byte {
	people := []struct{ name, address string }{
		{"Amara Okafor", "amara.okafor@customer.example"}, {"Jürgen Weiß", "juergen@kunde.example"}, {"María Peña", "maria@cliente.example"},
		{"佐藤 健", "sato@kyaku.example"}, {"Tom Reilly", "tom.reilly@customer.example"},
	}
	topics := []struct{ subject, text string }{
		{"Where is my order 48%02d?", "Hello,\n\nmy order should have been here on Tuesday. Can you tell me where it is?\n\nThanks"},
		{"Rechnung 20%02d: falscher Betrag", "Guten Tag,\n\nauf der Rechnung stehen 49,90 €, vereinbart waren 39,90 €. Bitte prüfen Sie das.\n\nGrüße"},
		{"No puedo entrar en mi cuenta (%02d)", "Hola:\n\ndesde ayer no puedo iniciar sesión. ¿Me pueden ayudar, por favor?\n\nUn saludo"},
		{"返品について (%02d)", "お世話になっております。\n\n先日届いた商品を返品したいのですが、手順を教えてください。\n"},
		{"Photo of the broken part %02d", "Hi,\n\nthe part arrived broken, see the attached picture.\n"},
	}
	who, what := people[n%len(people)], topics[n%len(topics)]
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	id := fmt.Sprintf("%d.%d@customer.example", at.UnixNano(), n)
	line("Received: from mx.customer.example (mx.customer.example [192.0.2.%d])", n%200+1)
	line("\tby mail.demo.example with ESMTPS id %08X; %s", n, at.Format(time.RFC1123Z))
	line("From: %s <%s>", mime.QEncoding.Encode("utf-8", who.name), who.address)
	line("To: %s", to)
	line("Subject: %s", mime.BEncoding.Encode("utf-8", fmt.Sprintf(what.subject, n%100)))
	line("Date: %s", at.Format(time.RFC1123Z))
	line("Message-ID: <%s>", id)
	if n%5 == 1 {
		line("In-Reply-To: <ticket-%d@demo.example>", n/5)
		line("References: <ticket-%d@demo.example>", n/5)
	}
	line("MIME-Version: 1.0")
	text := base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(what.text+"\n"+who.name+"\n", "\n", "\r\n")))
	part := func() {
		line("Content-Type: text/plain; charset=utf-8")
		line("Content-Transfer-Encoding: base64")
		line("")
		for len(text) > 76 {
			line("%s", text[:76])
			text = text[76:]
		}
		line("%s", text)
	}
	if n%5 != 4 {
		part()
		return []byte(b.String())
	}
	line(`Content-Type: multipart/mixed; boundary="demo-%d"`, n)
	line("")
	line("--demo-%d", n)
	part()
	line("--demo-%d", n)
	line(`Content-Type: image/gif; name="part.gif"`)
	line(`Content-Disposition: attachment; filename="part.gif"`)
	line("Content-Transfer-Encoding: base64")
	line("")
	line("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
	line("--demo-%d--", n)
	return []byte(b.String())
}
