package reply

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestAttribution puts each line between new words and an old message without ">", so that it is cut only if it is
// known, and then before lines with ">".
func TestAttribution(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"On Tue, May 7, 2024 at 10:31 AM Ann Example <ann@example.com> wrote:",
		"On Tue, May 7, 2024 at 10:31 AM Ann Example <\nann@example.com> wrote:",
		"On Tue, May 7, 2024 at\n10:31 AM, Ann Example <ann@example.com>\nwrote:",
		"On 7 May 2024, at 10:31, Ann Example <ann@example.com> wrote:",
		"On 07/05/2024 10:31, Ann Example wrote:",
		"On Tue, 2024-05-07 at 10:31 +0200, Ann Example wrote:",
		"On Tuesday, May 7, 2024, Ann Example via Shop Forum wrote:",
		"---- On Tue, 07 May 2024 10:31:00 +0200 Ann Example <ann@example.com> wrote ----",
		"-----On 05/07/2024 10:31 AM, Ann Example wrote-----",
		"--- On Tue, 5/7/24, Ann Example <ann@example.com> wrote:",
		"Ann Example <ann@example.com> wrote:",
		"Ann Example (ann@example.com) wrote:",
		"Am 07.05.2024 um 10:31 schrieb Anna Beispiel:",
		"Am Di., 7. Mai 2024 um 10:31 Uhr schrieb Anna Beispiel <\nanna@example.de>:",
		"Am Dienstag, dem 07.05.2024 um 10:31 +0200 schrieb Anna Beispiel:",
		"Anna Beispiel <anna@example.de> schrieb am Di., 7. Mai 2024, 10:31:",
		"Anna Beispiel <anna@example.de> hat am 07.05.2024 10:31 CEST geschrieben:",
		"Gesendet: Dienstag, 07. Mai 2024 um 10:31 Uhr\nVon: \"Anna Beispiel\" <anna@example.de>\nAn: laden@example.de\nBetreff: Rechnung",
		"Le mar. 7 mai 2024 à 10:31, Anne Exemple <anne@example.fr> a écrit :",
		"Le 07/05/2024 à 10:31, Anne Exemple a écrit :",
		"Le mardi 7 mai 2024 à 10:31:00 UTC+2, Anne Exemple <anne@example.fr> a\nécrit :",
		"El mar, 7 may 2024 a las 10:31, Ana Ejemplo (<ana@example.es>)\nescribió:",
		"El 7/5/24 a las 10:31, Ana Ejemplo escribió:",
		"El martes, 7 de mayo de 2024, Ana Ejemplo escribió:",
		"Il giorno mar 7 mag 2024 alle ore 10:31 Anna Esempio <\nanna@example.it> ha scritto:",
		"Il 07/05/2024 10:31, Anna Esempio ha scritto:",
		"Em ter., 7 de mai. de 2024 às 10:31, Ana Exemplo <ana@example.pt> escreveu:",
		"Em 07/05/2024 10:31, Ana Exemplo escreveu:",
		"Op di 7 mei 2024 om 10:31 schreef Anna Voorbeeld <anna@example.nl>:",
		"Op 07-05-2024 om 10:31 schreef Anna Voorbeeld:",
		"Op 7 mei 2024 om 10:31 heeft Anna Voorbeeld <anna@example.nl> het\nvolgende geschreven:",
		"Den tis 7 maj 2024 kl 10:31 skrev Anna Exempel <anna@example.se>:",
		"Den 2024-05-07 kl. 10:31, skrev Anna Exempel:",
		"Den tir. 7. maj 2024 kl. 10.31 skrev Anna Eksempel <anna@example.dk>:",
		"tir. 7. mai 2024 kl. 10:31 skrev Anna Eksempel <anna@example.no>:",
		"ti 7. toukok. 2024 klo 10.31 Anna Esimerkki (anna@example.fi) kirjoitti:",
		"W dniu wt., 7.05.2024 o 10:31 Anna Przykład <anna@example.pl>\nnapisał(a):",
		"W dniu 2024-05-07 o 10:31, Anna Przykład pisze:",
		"wt., 7 maj 2024 o 10:31 Anna Przykład <anna@example.pl> napisał(a):",
		"út 7. 5. 2024 v 10:31 odesílatel Anna Vzorová <anna@example.cz> napsal:",
		"Dne 07. 05. 24 v 10:31 Anna Vzorová napsal(a):",
		"ut 7. 5. 2024 o 10:31 Anna Vzorová <anna@example.sk> napísal(a):",
		"Anna Példa <anna@example.hu> ezt írta (időpont: 2024. máj. 7., K, 10:31):",
		"2024. 05. 07. 10:31 keltezéssel, Anna Példa <anna@example.hu> írta:",
		"În mar., 7 mai 2024 la 10:31, Ana Exemplu <ana@example.ro> a scris:",
		"вт, 7 мая 2024 г. в 10:31, Анна Пример <anna@example.ru>:",
		"07.05.2024 10:31, Анна Пример пишет:",
		"7 мая 2024 г., в 10:31, Анна Пример <anna@example.ru> написал(а):",
		"вт, 7 трав. 2024 р. о 10:31 Анна Приклад <anna@example.ua> пише:",
		"На вт, 7.05.2024 г. в 10:31 Анна Пример <anna@example.bg> написа:",
		"Στις Τρί 7 Μαΐ 2024 στις 10:31 π.μ., ο χρήστης Άννα <anna@example.gr> έγραψε:",
		"Anna Örnek <anna@example.tr>, 7 May 2024 Sal, 10:31 tarihinde şunu yazdı:",
		"7 May 2024 Sal 10:31 tarihinde Anna Örnek <anna@example.tr> şunu yazdı:",
		"\u202bבתאריך יום ג׳, 7 במאי 2024 ב-10:31 מאת \u202aאנה\u202c\u200f <\u202aanna@example.il\u202c\u200f>:\u202c",
		"في الثلاثاء، 7 مايو 2024 في 10:31 ص تمت كتابة ما يلي بواسطة آنا <anna@example.eg> كتب:",
		"在 2024年5月7日，10:31，安娜 <anna@example.cn> 写道：",
		"安娜 <anna@example.cn> 于2024年5月7日周二 10:31写道：",
		"安娜 <anna@example.tw> 於 2024年5月7日 週二 上午10:31寫道：",
		"2024年5月7日(火) 10:31 アンナ <anna@example.jp>:",
		"2024/05/07 10:31、アンナ <anna@example.jp>のメール:",
		"2024年 5月 7日 (화) 오전 10:31, 안나 <anna@example.kr>님이 작성:",
		"2024. 5. 7. 오전 10:31, 안나 <anna@example.kr> 작성:",
		"Vào Th 3, 7 thg 5, 2024 vào lúc 10:31 Anna <anna@example.vn> đã viết:",
		"Pada tanggal Sel, 7 Mei 2024 pukul 10.31 Anna <anna@example.id> menulis:",
		"ในวันที่ อ. 7 พ.ค. 2024 เวลา 10:31 Anna <anna@example.th> เขียนว่า:",
		"2024-05-07 10:31 GMT+02:00 Ann Example <ann@example.com>:",
		"Tue, 7 May 2024 10:31:00 +0200 от Ann Example <ann@example.com>:",
	} {
		for _, mark := range []string{"", "> "} {
			text := "My new words.\n\n" + line + "\n\n" + mark + "The old words\n" + mark + "of last week"
			if got := Text(text); got != "My new words." {
				t.Errorf("%q with %q: got %q", line, mark, got)
			}
		}
	}
}

func TestHeaderLines(t *testing.T) {
	t.Parallel()
	for _, block := range []string{
		"From: Ann <ann@example.com>\nSent: Tuesday, May 7, 2024 10:31 AM\nTo: Shop\nSubject: Invoice",
		"________________________________\nFrom: Ann <ann@example.com>\nSent: Tuesday, May 7, 2024 10:31:00 AM\nTo: Shop\nSubject: Invoice",
		"-----Original Message-----\nFrom: Ann <ann@example.com>\nTo: Shop\nSent: Tue, May 7, 2024 10:31 am\nSubject: Invoice",
		"*From:* Ann [mailto:ann@example.com]\n*Sent:* Tuesday, May 7, 2024\n*To:* Shop; Somebody Else with a Long Name; And\nAnother; And One More\n*Subject:* Invoice",
		"Von: Anna <anna@example.de>\nGesendet: Dienstag, 7. Mai 2024 10:31\nAn: Laden\nBetreff: Rechnung",
		"Von: Anna <anna@example.de>\nDatum: Dienstag, 7. Mai 2024 um 10:31\nAn: Laden\nBetreff: Rechnung",
		"-----Ursprüngliche Nachricht-----\nVon: Anna",
		"De : Anne <anne@example.fr>\nEnvoyé : mardi 7 mai 2024 10:31\nÀ : Magasin\nObjet : Facture",
		"De: Ana <ana@example.es>\nEnviado: martes, 7 de mayo de 2024 10:31\nPara: Tienda\nAsunto: Factura",
		"De: Ana <ana@example.pt>\nEnviada: 7 de maio de 2024 10:31\nPara: Loja\nAssunto: Fatura",
		"Da: Anna <anna@example.it>\nInviato: martedì 7 maggio 2024 10:31\nA: Negozio\nOggetto: Fattura",
		"Van: Anna <anna@example.nl>\nVerzonden: dinsdag 7 mei 2024 10:31\nAan: Winkel\nOnderwerp: Factuur",
		"Från: Anna <anna@example.se>\nSkickat: den 7 maj 2024 10:31\nTill: Butik\nÄmne: Faktura",
		"Fra: Anna <anna@example.dk>\nSendt: 7. maj 2024 10:31\nTil: Butik\nEmne: Faktura",
		"Lähettäjä: Anna <anna@example.fi>\nLähetetty: tiistai 7. toukokuuta 2024 10.31\nVastaanottaja: Kauppa\nAihe: Lasku",
		"Od: Anna <anna@example.pl>\nWysłano: wtorek, 7 maja 2024 10:31\nDo: Sklep\nTemat: Faktura",
		"Od: Anna <anna@example.cz>\nOdesláno: úterý 7. května 2024 10:31\nKomu: Obchod\nPředmět: Faktura",
		"Feladó: Anna <anna@example.hu>\nElküldve: 2024. május 7., kedd 10:31\nCímzett: Bolt\nTárgy: Számla",
		"От: Анна <anna@example.ru>\nОтправлено: 7 мая 2024 г. 10:31\nКому: Магазин\nТема: Счёт",
		"Від: Анна <anna@example.ua>\nНадіслано: 7 травня 2024 р. 10:31\nКому: Магазин\nТема: Рахунок",
		"Από: Άννα <anna@example.gr>\nΣτάλθηκε: Τρίτη, 7 Μαΐου 2024 10:31\nΠρος: Κατάστημα\nΘέμα: Τιμολόγιο",
		"Kimden: Anna <anna@example.tr>\nGönderildi: 7 Mayıs 2024 Salı 10:31\nKime: Mağaza\nKonu: Fatura",
		"发件人: 安娜 <anna@example.cn>\n发送时间: 2024年5月7日 10:31\n收件人: 商店\n主题: 发票",
		"寄件者： 安娜 <anna@example.tw>\n日期： 2024年5月7日 10:31\n收件者： 商店\n主旨： 發票",
		"差出人: アンナ <anna@example.jp>\n送信日時: 2024年5月7日 10:31\n宛先: 店\n件名: 請求書",
		"보낸 사람: 안나 <anna@example.kr>\n보낸 날짜: 2024년 5월 7일 10:31\n받는 사람: 가게\n제목: 청구서",
		"##- Please type your reply above this line -##",
	} {
		text := "My new words.\n" + block + "\n\nThe old words\nof last week"
		if got := Text(text); got != "My new words." {
			t.Errorf("%q: got %q", block, got)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"blank", " \n\t\n", ""},
		{"nothing to cut", "Hello,\n\nwhere is my parcel?", "Hello,\n\nwhere is my parcel?"},
		{"line ends of all kinds", "One\r\ntwo\rthree\n\r\n> four\r\n> five", "One\ntwo\nthree"},
		{"inner white space stays", "a\n\n\n   - b  \n   - c\n", "a\n\n\n   - b\n   - c"},
		{"octets that are no text", "a\x00b\xff\n> c\n> d", "ab\uFFFD"},

		{"answers in between", "> Which size?\n\nForty.\n\n> Which colour?\n> Red or blue?\n\nRed.", "Forty.\n\nRed."},
		{"answers without empty lines", "Ann wrote:\n> Which size?\nForty.\n> Which colour?\nred", "Forty.\n\nred"},
		{"answer below", "On 7 May 2024 at 10:31, Ann wrote:\n> Which size?\nForty.", "Forty."},
		{"answer above and below", "Hello Ann,\nOn 7 May 2024 at 10:31, Ann wrote:\n> Which size?\n\nForty.", "Hello Ann,\n\nForty."},
		{"words in the line of the attribution", "Forty, please. On Tue, May 7, 2024 at 10:31 AM, Ann <ann@example.com> wrote:\n> Which size?", "Forty, please."},
		{"quoted line that was wrapped", "> This line was too long for the program that sent it, and so its last words\nfell down\n> and the quotation went on.\n\nYes.", "Yes."},
		{"quoted link that was wrapped", "No.\n\n> Look here (https://example.com/a/very\nlong=address)\n> and there.", "No."},
		{"own link whose bracket begins a line", "See <https://example.com/a\n> for more.", "See <https://example.com/a\n> for more."},
		{"decoration", "Summer sale\n>>> all at half price <<<\nuntil Sunday", "Summer sale\n>>> all at half price <<<\nuntil Sunday"},
		{"name alone before quotation", "Yes.\n\nAnn Example wrote:\n> Really?", "Yes."},
		{"all is quotation", "On 7 May 2024 at 10:31, Ann wrote:\n> Which size?", "On 7 May 2024 at 10:31, Ann wrote:\n> Which size?"},
		{"forwarded", "Please look.\n\n---------- Forwarded message ---------\nFrom: Ann <ann@example.com>\nSubject: Size\n\nForty.", "Please look.\n\n---------- Forwarded message ---------\nFrom: Ann <ann@example.com>\nSubject: Size\n\nForty."},
		{"forwarded by Apple Mail", "Siehe unten.\n\nAnfang der weitergeleiteten Nachricht:\n\n> Von: Anna <anna@example.de>\n> Betreff: Größe\n>\n> Vierzig.", "Siehe unten.\n\nAnfang der weitergeleiteten Nachricht:\n\n> Von: Anna <anna@example.de>\n> Betreff: Größe\n>\n> Vierzig."},
		{"forwarded with nothing above", "From: Ann <ann@example.com>\nSent: Tuesday, May 7, 2024 10:31 AM\nTo: Shop\nSubject: Size\n\nForty.", "From: Ann <ann@example.com>\nSent: Tuesday, May 7, 2024 10:31 AM\nTo: Shop\nSubject: Size\n\nForty."},
		{"forwarded within what is quoted", "Thanks.\n\n-----Original Message-----\nFrom: Ann\n\n---------- Forwarded message ---------\nForty.", "Thanks."},

		{"you wrote", "On 5 May 2024 you wrote:\nwe send it tomorrow.\nIt is not here.", "On 5 May 2024 you wrote:\nwe send it tomorrow.\nIt is not here."},
		{"Sie schrieben", "Am 5.5.2024 um 10:31 schrieben Sie mir:\nwir senden es morgen.\nEs ist nicht da.", "Am 5.5.2024 um 10:31 schrieben Sie mir:\nwir senden es morgen.\nEs ist nicht da."},
		{"the driver wrote", "On 5 May 2024 at 10:31 the driver wrote:\nnobody at home\nI was there.", "On 5 May 2024 at 10:31 the driver wrote:\nnobody at home\nI was there."},
		{"a journey is no header", "Please book\n\nFrom: Berlin\nTo: Paris\nDate: 5 May 2024\n\nfor two.", "Please book\n\nFrom: Berlin\nTo: Paris\nDate: 5 May 2024\n\nfor two."},
		{"a new address is no header", "Please change\n\nFrom: old@example.com\nTo: new@example.com\n\nfrom today.", "Please change\n\nFrom: old@example.com\nTo: new@example.com\n\nfrom today."},
		{"headings are no rules", "Summary\n-------\nNothing works, and I have tried all that you said.\n\nDetails\n-------\nThe lamp is red, the fan is loud, and it smells.", "Summary\n-------\nNothing works, and I have tried all that you said.\n\nDetails\n-------\nThe lamp is red, the fan is loud, and it smells."},

		{"banners are no delimiters", "*****************\n** out of order **\n*****************\n\nRoom 1\nRoom 2", "*****************\n** out of order **\n*****************\n\nRoom 1\nRoom 2"},
		{"fields of a report are no signature", "It failed.\n\nAction: failed\nRecipient: ann@example.com\nReference: 4711471147", "It failed.\n\nAction: failed\nRecipient: ann@example.com\nReference: 4711471147"},
		{"delimiter", "Yes.\n\n-- \nAnn Example\nThe Shop\n\nAll our prices are without tax, as you know from our terms.", "Yes."},
		{"delimiter without space", "Yes.\n--\nAnn Example", "Yes."},
		{"delimiter within a line", "Yes -- and no.\nNever -- ever.", "Yes -- and no.\nNever -- ever."},
		{"footer of a list", "Yes.\n\n_______________________________________________\nusers mailing list\nusers@lists.example.org\nhttps://lists.example.org/users", "Yes."},
		{"signature alone", "--\nAnn Example", "--\nAnn Example"},
		{"closing and name", "Where is it?\n\nKind regards,\nAnn Example\nManager\n+44 20 1234567", "Where is it?"},
		{"Grüße", "Wo ist es?\n\nMit freundlichen Grüßen\n\nAnna Beispiel\nBeispiel GmbH\nLange Straße 1, 12345 Berlin", "Wo ist es?"},
		{"thanks stay", "Where is it?\n\nThank you,\nAnn", "Where is it?\n\nThank you,\nAnn"},
		{"closing with the name in its line stays", "Where is it?\n\nRegards, Ann", "Where is it?\n\nRegards, Ann"},
		{"postscript stays", "Where is it?\n\nBest regards\nAnn\n\nPS: Please cancel my other order.", "Where is it?\n\nPS: Please cancel my other order."},
		{"sentences behind the closing stay", "Where is it?\n\nBest regards\nAnn\n\nI have also sent you the photographs of the box and of the label.", "Where is it?\n\nI have also sent you the photographs of the box and of the label."},
		{"disclaimer goes", "Where is it?\n\nBest regards\nAnn\n\nThis e-mail is meant for the addressee alone. If it is not you, please delete it and tell us.", "Where is it?"},
		{"closing is all there is", "Best regards\nAnn", "Best regards\nAnn"},
		{"block of addresses", "Where is it?\n\nAnn Example\nann@example.com\n+44 20 1234567\nwww.example.com", "Where is it?"},
		{"addresses that were asked for", "My new data:\n\nAnn Example\nann@example.com\n+44 20 1234567", "My new data:\n\nAnn Example\nann@example.com\n+44 20 1234567"},
		{"name behind a dash", "Where is it?\n\n-Ann Example", "Where is it?"},
		{"list at the end", "I need:\n\n- paper\n- ink", "I need:\n\n- paper\n- ink"},
		{"telephone", "Yes.\n\nSent from my iPhone", "Yes."},
		{"telephone that begs pardon", "Yes.\n\nSent from my phone, please excuse typos.", "Yes."},
		{"sentence about a telephone", "Sent from my office, the parcel should have been here on Monday.", "Sent from my office, the parcel should have been here on Monday."},
		{"program with link", "Ja.\n\nOutlook für iOS<https://aka.ms/o0ukef> beziehen", "Ja."},
		{"signature before quotation", "Yes.\n\n-- \nAnn\n\nOn 7 May 2024 at 10:31, Bob wrote:\n> Really?\n\n--\nAnn", "Yes."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(Text(tt.text), tt.want); diff != "" {
				t.Errorf("Text (-got +want):\n%s", diff)
			}
		})
	}
}

func TestDevice(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"Sent from my iPhone", "Sent from my Verizon Wireless 4G LTE smartphone", "Sent from Yahoo Mail on Android", "Sent from Mail for Windows 10", "Get Outlook for iOS<https://aka.ms/o0ukef>", "Sent via the Samsung Galaxy S21, an AT&T 5G smartphone typo",
		"Von meinem iPhone gesendet", "Gesendet von Mail für Windows", "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.", "Gesendet mit der WEB.DE Mail App",
		"Envoyé de mon iPhone", "Envoyé depuis mon smartphone Samsung Galaxy.", "Télécharger Outlook pour Android", "Enviado desde mi iPhone", "Enviado do meu iPhone", "Inviato da iPhone", "Verstuurd vanaf mijn iPhone", "Verzonden vanaf Outlook voor Android",
		"Skickat från min iPhone", "Sendt fra min iPhone", "Lähetetty iPhonesta", "Wysłane z iPhone'a", "Odesláno z iPhonu", "Odoslané z iPhonu", "iPhone-ról küldve", "Trimis de pe iPhone-ul meu",
		"Отправлено с iPhone", "Надіслано з iPhone", "Изпратено от моя iPhone", "Στάλθηκε από το iPhone μου", "iPhone'umdan gönderildi", "נשלח מה-iPhone שלי", "أرسلت من الـ iPhone",
		"发自我的 iPhone", "從我的 iPhone 傳送", "iPhoneから送信", "나의 iPhone에서 보냄", "Đã gửi từ iPhone của tôi", "Dikirim dari iPhone saya", "ส่งจาก iPhone ของฉัน",
	} {
		if got := Text("Ok\n\n" + line); got != "Ok" {
			t.Errorf("%q is kept", line)
		}
	}
}

// TestClosing is for the formulas of the languages that the table of TestText does not have.
func TestClosing(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"Regards", "Best,", "Yours sincerely", "Cheers!", "Viele Grüße", "Liebe Grüße aus Köln", "MfG", "Cordialement,", "Bien à vous", "Salutations distinguées", "Saludos cordiales", "Atentamente,", "Un saludo",
		"Cordiali saluti", "Atenciosamente,", "Com os melhores cumprimentos", "Met vriendelijke groet,", "Med vänliga hälsningar", "Med venlig hilsen", "Vennlig hilsen", "Ystävällisin terveisin", "Z poważaniem", "Pozdrawiam",
		"S pozdravem", "S pozdravom", "Üdvözlettel,", "Cu stimă,", "С уважением,", "З повагою", "С уважение,", "Με εκτίμηση,", "Saygılarımla", "בברכה,", "مع التحية", "با احترام", "此致", "敬具", "Trân trọng,", "Hormat saya,", "ขอแสดงความนับถือ",
	} {
		if got := Text("The words.\n\n" + line + "\nX. Example"); got != "The words." {
			t.Errorf("%q is kept", line)
		}
	}
}

// hostile are texts made to take long, each of about n octets.
func hostile(n int) map[string]string {
	return map[string]string{
		"greater-than signs":       strings.Repeat(">", n),
		"quotations":               strings.Repeat("> a\n", n/4),
		"alternating":              strings.Repeat("> a\nb\n", n/6),
		"colons":                   strings.Repeat("a:\n", n/3),
		"openers":                  strings.Repeat("On 1 May 2024, ", n/15) + "wrote:",
		"opener lines":             strings.Repeat("On 1 May 2024 at 10:31, Ann\n", n/28) + "wrote:",
		"attributions with you":    strings.Repeat("On 1 May 2024 at 10:31, you wrote:\n", n/36),
		"openers within a line":    strings.Repeat(strings.Repeat("a On 1 ", 70)+"wrote:\n", n/497),
		"header lines":             strings.Repeat("From: a\n", n/8),
		"header lines and blanks":  strings.Repeat("To: a\n\nCc: b\n\n", n/14),
		"dashes":                   strings.Repeat("--\n", n/3),
		"delimiters":               strings.Repeat("-- \nx\n", n/6),
		"delimiters in quotations": strings.Repeat("-- \nx\n> q\n", n/10),
		"rules":                    strings.Repeat("-----\n", n/6),
		"rules and headers":        strings.Repeat("-----\n\n", n/7) + "From: a@b\nSent: 1",
		"closings":                 strings.Repeat("Best regards\n", n/13),
		"devices":                  strings.Repeat("Sent from my iPhone\n", n/20),
		"open links":               strings.Repeat("> (http\nb\n", n/10),
		"one line":                 strings.Repeat("wrote ", n/6),
		"blank lines":              strings.Repeat("\n", n),
		"names behind dashes":      strings.Repeat("-Ann\n\n", n/6),
	}
}

func TestHostile(t *testing.T) {
	for name, text := range hostile(256 << 10) {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			got := Text(text)
			if took := time.Since(start); took > 2*time.Second { // 80 times what is allowed, for the race detector on a machine that is busy
				t.Errorf("took %v", took)
			} else {
				t.Logf("took %v", took)
			}
			if got == "" && strings.TrimSpace(text) != "" {
				t.Error("nothing is left")
			}
		})
	}
}

func FuzzText(f *testing.F) {
	f.Add(typical)
	for _, text := range hostile(200) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Text(text)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\r") {
			t.Errorf("not clean: %q", got)
		}
		if len(got) > 3*len(text) { // an octet that is no text becomes three
			t.Errorf("%d octets of %d", len(got), len(text))
		}
		if got == "" && strings.Trim(clean(text), " \t\n\v\f") != "" && strings.TrimSpace(clean(text)) != "" {
			t.Errorf("nothing is left of %q", text)
		}
		if again := Text(text); again != got {
			t.Errorf("not the same twice: %q, %q", got, again)
		}
	})
}
