package reply

import (
	"strings"
	"unicode/utf8"
)

// A block of header lines is looked at so far: lists of recipients may fill many lines.
const headerLines = 25

// headerBlock finds the header lines of the old message that begin in line i, "From: … Sent: … To: … Subject: …". Two
// different fields are needed, one of which says who, or to whom and when, and one that does not stand in the lists that people
// write ("From: Berlin, To: Paris, Date: Monday"): a subject, "Sent", or an address or a clock with the date.
func (m *message) headerBlock(i int) (introduction, bool) {
	first, _ := headerField(m.lines[i])
	if first == fieldNone {
		return introduction{}, false
	}
	m.checks++
	var seen [fieldCount]bool
	var address, clock bool
	end, strange := i, 0
	for j := i; j < len(m.lines) && j < i+headerLines && strange < 5; j++ {
		if m.kinds[j] == blank {
			if j+1 < len(m.lines) && m.kinds[j+1] == own {
				if f, _ := headerField(m.lines[j+1]); f != fieldNone && !seen[f] {
					continue
				}
			}
			break
		}
		if m.kinds[j] != own {
			break
		}
		f, value := headerField(m.lines[j])
		if f == fieldNone {
			strange++
			continue
		}
		strange = 0
		end = j + 1
		seen[f] = true
		switch f {
		case fieldFrom, fieldTo, fieldCopy:
			address = address || strings.IndexByte(value, '@') >= 0
			for word := range strings.FieldsSeq(value) {
				// All in one line, after HTML that was made with CSS.
				if name, ok := strings.CutSuffix(word, ":"); ok && f == fieldFrom && fieldNamed(strings.ToLower(name)) != fieldNone {
					seen[fieldNamed(strings.ToLower(name))] = true
					clock = clock || isClock(value)
				}
			}
		case fieldDate, fieldSent:
			clock = clock || isClock(value) || strings.Contains(value, "=2C")
			if !hasDigit(value) {
				seen[f] = false
			}
		}
	}
	count := 0
	for _, is := range seen {
		if is {
			count++
		}
	}
	who := seen[fieldFrom] || seen[fieldSent] || seen[fieldDate] && seen[fieldTo]
	evidence := seen[fieldSent] || seen[fieldSubject] || seen[fieldDate] && (address || clock)
	switch {
	case count >= 2 && who && evidence:
		for end < len(m.lines) && m.kinds[end] == own {
			end++ // the rest of the last field
		}
		return introduction{from: i, to: end}, true
	case count == 1 && first == fieldFrom && address && (m.quoteSoon(end) || i > 0 && isRule(m.lines[i-1])):
		return introduction{from: i, to: end}, true
	}
	return introduction{}, false
}

// quoteSoon says that one of the next two lines that are not blank begins with ">".
func (m *message) quoteSoon(i int) bool {
	for range 2 {
		if i = m.skipBlank(i); i == len(m.lines) {
			return false
		}
		if isQuoted(m.lines[i]) {
			return true
		}
		i++
	}
	return false
}

// field is a field of a header, as mail programs show it.
type field uint8

const (
	fieldNone field = iota
	fieldFrom
	fieldSent // as only mail programs say it
	fieldDate
	fieldTo
	fieldCopy
	fieldSubject
	fieldCount
)

// headerField tells which field a line is and what stands behind the colon. The name may be bold, "*From:*".
func headerField(line string) (f field, value string) {
	head := line[:min(len(line), 48)]
	colon := strings.IndexByte(head, ':')
	if wide := strings.Index(head, "："); wide >= 0 && (colon < 0 || wide < colon) {
		colon = wide
	}
	if colon < 1 {
		return fieldNone, ""
	}
	name := strings.TrimFunc(line[:colon], func(r rune) bool {
		return r == ' ' || r == '\t' || r == '*' || r == '_' || r == '|' || r == '[' || r >= utf8.RuneSelf && isBlank(r)
	})
	if name == "" || len(name) > 32 {
		return fieldNone, ""
	}
	return fieldNamed(strings.ToLower(name)), line[colon+1:]
}

func fieldNamed(name string) field {
	switch name {
	case "from", "von", "de", "da", "van", "från", "fra", "od", "от", "від", "lähettäjä", "kimden", "gönderen", "feladó", "από", "de la", "expéditeur", "expediteur",
		"remitente", "mittente", "absender", "afzender", "avsändare", "afsender", "avsender", "nadawca", "odesílatel", "odosielateľ", "expeditor", "отправитель",
		"відправник", "подател", "发件人", "寄件者", "寄件人", "發件人", "差出人", "送信者", "送信元", "보낸 사람", "보낸사람", "발신", "dari", "pengirim", "từ", "người gửi", "מאת", "من", "المرسل",
		"از", "فرستنده", "จาก", "प्रेषक", "saatja", "nuo", "no", "šalje", "pošiljatelj", "remetente", "frá":
		return fieldFrom
	case "sent", "gesendet", "gesendet am", "envoyé", "envoyé le", "envoye", "enviado", "enviado el", "enviado em", "enviada", "enviada em", "enviada el", "inviato", "inviato il", "verzonden",
		"skickat", "sendt", "lähetetty", "wysłano", "wysłane", "data wysłania", "odesláno", "odoslané", "elküldve", "küldve", "trimis", "отправлено", "надіслано", "відправлено", "изпратено",
		"gönderildi", "gönderilme tarihi", "gönderme tarihi", "εστάλη", "στάλθηκε", "αποστολή", "发送时间", "發送時間", "寄件日期", "傳送時間", "发送日期", "送信日時", "보낸 날짜", "보낸날짜", "dikirim", "terkirim",
		"đã gửi", "ngày gửi", "נשלח", "أرسلت", "تم الإرسال", "تاريخ الإرسال", "ارسال شده", "ส่ง", "ส่งเมื่อ", "भेजा गया", "poslano", "saadetud", "išsiųsta", "sent on", "sent at":
		return fieldSent
	case "date", "datum", "data", "fecha", "dato", "päiväys", "päivämäärä", "дата", "tarih", "dátum", "ημερομηνία", "日期", "日付", "日時", "时间", "날짜", "tanggal", "ngày", "תאריך",
		"تاريخ", "التاريخ", "تاریخ", "วันที่", "दिनांक", "received", "reçu", "empfangen":
		return fieldDate
	case "to", "an", "à", "a", "para", "aan", "till", "til", "vastaanottaja", "do", "komu", "címzett", "către", "catre", "кому", "до", "kime", "alıcı", "προς", "收件人", "收件者", "宛先",
		"받는 사람", "받는사람", "수신", "kepada", "ke", "đến", "tới", "người nhận", "אל", "إلى", "به", "ถึง", "destinataire", "destinatario", "destinatário", "empfänger", "pour", "प्रति", "za", "prima", "kam", "kellele":
		return fieldTo
	case "cc", "kopie", "copie", "copia", "cópia", "kopia", "kopi", "kopio", "másolat", "másolatot kap", "копия", "копія", "bilgi", "κοιν", "κοινοποίηση", "抄送", "副本", "참조", "dw", "bcc", "cci", "cco", "ccn", "tembusan", "עותק", "نسخة":
		return fieldCopy
	case "subject", "betreff", "objet", "sujet", "asunto", "oggetto", "assunto", "onderwerp", "ämne", "emne", "aihe", "temat", "předmět", "predmet", "tárgy", "subiect", "тема", "относно",
		"konu", "θέμα", "主题", "主題", "主旨", "件名", "제목", "subjek", "subyek", "perihal", "tiêu đề", "chủ đề", "נושא", "الموضوع", "موضوع", "เรื่อง", "विषय", "zadeva", "teema", "tema", "efni":
		return fieldSubject
	}
	return fieldNone
}
