package main

import (
	"encoding/base64"
	"fmt"
	"mime"
	"strings"
	"time"
)

// demoCycle is after how many sample mails their kinds repeat.
const demoCycle = 10

// sampleMail is the n-th mail of an invented customer to one of the demo's addresses: plain text, HTML, an attachment,
// other alphabets, a reply to the mail that came four before, and what no person wrote: an absence notice, a bounce, an
// invitation and a newsletter.
func sampleMail(n int, to string, at time.Time) []byte {
	m := demoMail{n: n, to: to, at: at}
	switch n % demoCycle {
	case 5:
		m.reply()
	case 6:
		m.absence()
	case 7:
		m.bounce()
	case 8:
		m.invitation()
	case 9:
		m.newsletter()
	default:
		m.letter()
	}
	return []byte(m.out.String())
}

// demoMail writes one sample mail.
type demoMail struct {
	n   int
	to  string
	at  time.Time
	out strings.Builder
}

func (m *demoMail) line(format string, args ...any) { fmt.Fprintf(&m.out, format+"\r\n", args...) }

// text writes lines of text in 7 bit.
func (m *demoMail) text(s string) { m.out.WriteString(strings.ReplaceAll(s, "\n", "\r\n")) }

// encoded writes a header field end, the transfer encoding and text in base64.
func (m *demoMail) encoded(contentType, text string) {
	m.line("Content-Type: %s; charset=utf-8", contentType)
	m.line("Content-Transfer-Encoding: base64")
	m.line("")
	b64 := base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
	for len(b64) > 76 {
		m.line("%s", b64[:76])
		b64 = b64[76:]
	}
	m.line("%s", b64)
}

// head writes the fields that all have.
func (m *demoMail) head(name, address, subject string) {
	m.line("Received: from mx.customer.example (mx.customer.example [192.0.2.%d])", m.n%200+1)
	m.line("\tby mail.demo.example with ESMTPS id %08X; %s", m.n, m.at.Format(time.RFC1123Z))
	m.line("From: %s <%s>", mime.QEncoding.Encode("utf-8", name), address)
	m.line("To: %s", m.to)
	m.line("Subject: %s", mime.BEncoding.Encode("utf-8", subject))
	m.line("Date: %s", m.at.Format(time.RFC1123Z))
	m.line("Message-ID: <%s>", demoID(m.n))
	m.line("MIME-Version: 1.0")
}

func demoID(n int) string { return fmt.Sprintf("sample-%d@customer.example", n) }

// demoTopic is who writes the n-th letter, and what.
func demoTopic(n int) (name, address, subject, text string) {
	people := [...][2]string{
		{"Amara Okafor", "amara.okafor@customer.example"}, {"Jürgen Weiß", "juergen@kunde.example"}, {"María Peña", "maria@cliente.example"},
		{"佐藤 健", "sato@kyaku.example"}, {"Tom Reilly", "tom.reilly@customer.example"},
	}
	topics := [...][2]string{
		{"Where is my order 48%02d?", "Hello,\n\nmy order should have been here on Tuesday. Can you tell me where it is?\n\nThanks"},
		{"Rechnung 20%02d: falscher Betrag", "Guten Tag,\n\nauf der Rechnung stehen 49,90 €, vereinbart waren 39,90 €. Bitte prüfen Sie das.\n\nGrüße"},
		{"No puedo entrar en mi cuenta (%02d)", "Hola:\n\ndesde ayer no puedo iniciar sesión. ¿Me pueden ayudar, por favor?\n\nUn saludo"},
		{"返品について (%02d)", "お世話になっております。\n\n先日届いた商品を返品したいのですが、手順を教えてください。\n"},
		{"Photo of the broken part %02d", "Hi,\n\nthe part arrived broken, see the attached picture.\n"},
	}
	i := n % len(people)
	return people[i][0], people[i][1], fmt.Sprintf(topics[i][0], n%100), topics[i][1] + "\n" + people[i][0] + "\n"
}

// letter is what a customer writes; every fifth has a picture.
func (m *demoMail) letter() {
	name, address, subject, text := demoTopic(m.n)
	m.head(name, address, subject)
	if m.n%5 != 4 {
		m.encoded("text/plain", text)
		return
	}
	m.line(`Content-Type: multipart/mixed; boundary="demo-%d"`, m.n)
	m.line("")
	m.line("--demo-%d", m.n)
	m.encoded("text/plain", text)
	m.line("--demo-%d", m.n)
	m.line(`Content-Type: image/gif; name="part.gif"`)
	m.line(`Content-Disposition: attachment; filename="part.gif"`)
	m.line("Content-Transfer-Encoding: base64")
	m.line("")
	m.line("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
	m.line("--demo-%d--", m.n)
}

// reply is the customer of four mails ago once more, with a quotation and a signature.
func (m *demoMail) reply() {
	before := m.n - 4
	name, address, subject, text := demoTopic(before)
	m.head(name, address, "Re: "+subject)
	m.line("In-Reply-To: <%s>", demoID(before))
	m.line("References: <%s>", demoID(before))
	m.encoded("text/plain", "Haben Sie schon etwas herausgefunden? Ich brauche die Antwort bis Freitag.\n\nAm "+m.at.Format("02.01.2006")+" um "+
		m.at.Format("15:04")+" schrieb "+name+":\n> "+strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n> ")+"\n\n-- \n"+name+"\nTel. 030 1234567\n")
}

func (m *demoMail) absence() {
	name, address, _, _ := demoTopic(4)
	m.head(name, address, "Automatic reply: Your request")
	m.line("Auto-Submitted: auto-replied")
	m.line("X-Auto-Response-Suppress: All")
	m.line("Content-Type: text/plain; charset=us-ascii")
	m.line("")
	m.text("I am out of the office until Monday and will answer then.\n\n" + name + "\n")
}

// bounce tells that an agent's answer could not be delivered, RFC 3464.
func (m *demoMail) bounce() {
	m.line("Return-Path: <>")
	m.head("Mail Delivery System", "mailer-daemon@mx.kunde.example", "Undelivered Mail Returned to Sender")
	m.line("Auto-Submitted: auto-replied")
	m.line(`Content-Type: multipart/report; report-type=delivery-status; boundary="demo-%d"`, m.n)
	m.text(fmt.Sprintf(`
--demo-%[1]d
Content-Type: text/plain; charset=us-ascii

Your message could not be delivered to one recipient.

<nobody@kunde.example>: host mx.kunde.example said: 550 5.1.1 User unknown

--demo-%[1]d
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.kunde.example

Final-Recipient: rfc822; nobody@kunde.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--demo-%[1]d
Content-Type: text/rfc822-headers

From: %[2]s
To: nobody@kunde.example
Subject: Your request
Message-ID: <answer-%[1]d@demo.example>

--demo-%[1]d--
`, m.n, m.to))
}

// invitation asks for a meeting, RFC 6047.
func (m *demoMail) invitation() {
	name, address, _, _ := demoTopic(2)
	m.head(name, address, "Invitation: Visit of the technician")
	m.line("Content-Type: text/calendar; method=REQUEST; charset=utf-8")
	m.line("")
	start := m.at.UTC().Truncate(time.Hour).AddDate(0, 0, 7)
	const ical = "20060102T150405Z"
	m.text(fmt.Sprintf("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//demo//EN\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:%s\nDTSTAMP:%s\nDTSTART:%s\nDTEND:%s\n"+
		"SUMMARY:Visit of the technician\nLOCATION:Calle Mayor 1\nORGANIZER;CN=%s:mailto:%s\nATTENDEE:mailto:%s\nEND:VEVENT\nEND:VCALENDAR\n",
		demoID(m.n), m.at.UTC().Format(ical), start.Format(ical), start.Add(time.Hour).Format(ical), name, address, m.to))
}

// newsletter comes by a list, in HTML alone.
func (m *demoMail) newsletter() {
	m.head("Parts & More", "news@parts.example", "Offers of the week")
	m.line("List-Id: Offers <offers.parts.example>")
	m.line("List-Unsubscribe: <https://parts.example/leave>")
	m.line("Precedence: bulk")
	m.encoded("text/html", `<html><body><h1>Offers of the week</h1><p>See our <a href="https://parts.example/offers">new parts</a>:</p>
<ul><li>Pump, 39 €</li><li>Valve, 12 €</li></ul><img src="https://parts.example/count.gif" width="1" height="1" alt=""></body></html>`)
}
