package reply

import (
	"strings"
	"unicode/utf8"
)

// isClosing says that a line is a formula at the end of a letter and nothing else: "Best regards,". Thanks are none, and
// neither is a line that has the name as well, "Regards, Ann": it is left to stand with its words.
func isClosing(line string) bool {
	if len(line) > 80 || strings.Count(line, " ") > 6 {
		return false
	}
	s := strings.ToLower(strings.Trim(line, " \t*_~-–—,.!;:)\u00a0"))
	if i := strings.IndexByte(s, ','); i >= 0 {
		return false
	}
	switch s {
	case "best", "all the best", "all my best", "cheers", "sincerely", "sincerely yours", "yours sincerely", "yours faithfully", "yours truly", "faithfully", "respectfully", "respectfully yours",
		"cordially", "warmly", "take care", "br", "rgds", "brgds", "kr", "at your service", "with best wishes", "best wishes", "kind wishes", "warm wishes", "many greetings", "greetings",
		"mfg", "lg", "vg", "hochachtungsvoll", "mit vorzüglicher hochachtung", "bis bald", "tschüss", "herzlichst",
		"bien à vous", "bien à toi", "bien a vous", "sincèrement", "amicalement", "respectueusement", "cdlt", "cdt", "bonne journée", "bonne soirée", "bonne fin de journée", "à bientôt", "bonne réception",
		"atentamente", "atte", "un abrazo", "abrazos", "un fuerte abrazo", "atenciosamente", "att", "abraço", "abraços", "um abraço", "distinti saluti", "cordialità", "a presto",
		"mvg", "hoogachtend", "mvh", "vh", "kh", "dbh", "vänligen", "med vänlig", "ystävällisin", "yst. terv", "terv",
		"pozdrawiam", "serdecznie pozdrawiam", "z wyrazami szacunku", "z szacunkiem", "łączę pozdrowienia", "zdravím", "hezký den", "přeji hezký den", "pekný deň", "s úctou",
		"üdv", "udv", "cu stimă", "cu stima", "cu respect", "toate cele bune", "o zi bună", "cu drag", "всего доброго", "всего хорошего", "с наилучшими пожеланиями", "всього найкращого", "з найкращими побажаннями", "поздрави",
		"iyi çalışmalar", "iyi günler", "selamlar", "saygılar", "sevgiler", "kolay gelsin", "φιλικά", "με εκτίμηση", "με φιλικούς χαιρετισμούς", "εκτιμώμενος",
		"בברכה", "בכבוד רב", "בברכה רבה", "مع التحية", "تحياتي", "مع تحياتي", "مع أطيب التحيات", "مع خالص التحية", "با احترام", "ارادتمند",
		"此致", "敬礼", "此致敬礼", "此致 敬礼", "敬禮", "祝好", "顺祝商祺", "順祝商祺", "祝商祺", "敬具", "以上", "trân trọng", "thân mến", "kính thư", "thân ái", "salam", "salam hangat", "hormat saya", "hormat kami",
		"ขอแสดงความนับถือ", "ด้วยความเคารพ", "सादर", "भवदीय", "आपका विश्वासी":
		return true
	}
	for word := range strings.FieldsSeq(s) {
		switch word {
		case "regards", "grüße", "grüßen", "gruß", "grüsse", "grüssen", "gruss", "gruesse", "gruessen", "gruße", "cordialement", "salutations", "saludos", "saludo", "cordialmente", "saluti", "saluto",
			"cumprimentos", "groet", "groeten", "hälsningar", "hälsning", "hilsen", "hilsner", "hilsninger", "terveisin", "terveiset", "poważaniem", "powazaniem", "pozdrowieniami", "pozdrowienia", "pozdravem", "pozdravom",
			"üdvözlettel", "tisztelettel", "уважением", "повагою", "уважение", "saygılarımla", "saygılarımızla", "lep", "pozdrav", "kveðja", "atenciosamente":
			return !isThanks(s)
		}
	}
	return false
}

// isThanks says that a line thanks first, "Vielen Dank und beste Grüße": such a line stays.
func isThanks(s string) bool {
	first, _, _ := strings.Cut(s, " ")
	switch first {
	case "thank", "thanks", "thx", "many", "vielen", "danke", "dank", "besten", "herzlichen", "merci", "gracias", "muchas", "grazie", "obrigado", "obrigada", "bedankt",
		"tack", "tak", "takk", "kiitos", "dziękuję", "děkuji", "ďakujem", "köszönettel", "mulțumesc", "спасибо", "дякую", "благодаря", "teşekkürler", "ευχαριστώ":
		return strings.Contains(s, "than") || first != "many" && first != "besten" && first != "herzlichen" || strings.Contains(s, "dank")
	}
	return false
}

// isDisclaimer says that a paragraph, in lower case, begins as those do that companies put below each mail.
func isDisclaimer(s string) bool {
	s = strings.TrimLeft(s, " *_-([")
	for _, begin := range [...]string{
		"this email", "this e-mail", "this message", "this communication", "the information", "the content", "confidential", "disclaimer", "privileged", "notice", "important notice",
		"please consider the environment", "please think before", "save paper", "diese e-mail", "diese email", "diese mail", "diese nachricht", "der inhalt dieser", "vertraulich", "bitte denken sie an die umwelt", "bitte prüfen sie",
		"ce message", "cet e-mail", "ce courriel", "pensez à l'environnement", "este mensaje", "este correo", "la información contenida", "esta mensagem", "este e-mail", "questo messaggio", "questa e-mail", "le informazioni",
		"dit bericht", "deze e-mail", "dit e-mailbericht", "denna e-post", "detta meddelande", "denne e-mail", "denne e-post", "tämä viesti", "ta wiadomość", "niniejsza wiadomość", "tato zpráva", "данное сообщение", "это сообщение",
	} {
		if strings.HasPrefix(s, begin) {
			return true
		}
	}
	return false
}

// isDevice says that a line is what telephones and programs put below a mail: "Sent from my iPhone". A sentence that
// begins like that has a comma or goes on too long, unless it begs to excuse the typing errors.
func isDevice(line string) bool {
	if len(line) > 240 {
		return false
	}
	s := strings.ToLower(strings.Trim(line, " \t*_~<>()[]-–—!.\u00a0"))
	for {
		// Links say nothing here.
		i := strings.IndexAny(s, "<(")
		if i < 0 {
			i = strings.Index(s, "http")
		}
		if i < 1 {
			break
		}
		s = strings.TrimRight(s[:i], " ")
	}
	n := strings.Count(s, " ") + 1
	if n > 20 || s == "" {
		return false
	}
	if n > 8 && !namesDevice(s) {
		return false
	}
	if i := strings.IndexAny(s, ",."); i >= 0 && i+1 < len(s) && s[i+1] == ' ' && !excuses(s[i:]) {
		return false
	}
	if s == "via mobile" || s == "from mobile" || s == "via iphone" || s == "via android" {
		return true
	}
	for _, begin := range [...]string{
		"sent from", "sent via", "sent with", "sent using", "sent by ", "sent wirelessly", "sent on the go", "sent through", "get outlook for", "get the outlook app", "download outlook",
		"gesendet von", "gesendet mit", "gesendet aus", "gesendet über", "diese nachricht wurde von", "diese e-mail wurde von", "outlook für", "holen sie sich outlook", "laden sie outlook",
		"envoyé de", "envoyé sans fil", "envoyé depuis", "envoyé à partir", "envoyé avec", "envoyé via", "envoyé par", "télécharger outlook", "téléchargez outlook", "obtenir outlook", "obtenez outlook", "provenance : courrier", "provenance: courrier",
		"enviado desde", "enviado do", "enviado de", "enviado con", "enviado pelo", "enviado a partir", "enviado por", "enviada do", "obtener outlook", "obtenga outlook", "obter o outlook", "obtenha o outlook", "descarga outlook", "inviato da", "inviato con", "inviato tramite", "scarica outlook", "ottieni outlook",
		"verzonden vanaf", "verstuurd vanaf", "verzonden met", "verzonden vanuit", "verstuurd met", "outlook voor", "downloaden outlook", "skickat från", "skickades från", "hämta outlook", "skaffa outlook", "sendt fra", "sendt via", "sendt med", "hent outlook", "få outlook", "last ned outlook", "lähetetty", "hanki outlook",
		"wysłane z", "wysłano z", "wysłano za pomocą", "pobierz outlook", "pobierz aplikację outlook", "odesláno z", "odesláno mobilem", "odoslané z", "získat outlook", "získať outlook", "trimis de pe", "trimis din", "obțineți outlook",
		"отправлено с", "отправлено из", "отправлено через", "надіслано з", "надіслано через", "відправлено з", "изпратено от", "скачать outlook", "στάλθηκε από", "εστάλη από", "gửi từ", "đã gửi từ", "được gửi từ", "dikirim dari", "ส่งจาก", "נשלח מ", "أرسلت من", "مرسل من", "أُرسلت من", "ارسال شده از",
		"发自我的", "發自我的", "从我的", "從我的", "来自我的", "发送自", "傳送自", "나의 iphone", "내 iphone", "poslano s", "saadetud minu", "enviat des",
	} {
		if strings.HasPrefix(s, begin) {
			return true
		}
	}
	if strings.HasPrefix(s, "from my ") || strings.HasPrefix(s, "från min ") || strings.HasPrefix(s, "fra min ") {
		return n <= 4 && namesDevice(s)
	}
	for _, end := range [...]string{"gönderildi", "から送信", "から送信されました", "에서 보냄", "傳送", "发送", "küldve", "küldtem", "lähetetty"} {
		if strings.HasSuffix(s, end) && (n <= 6 || namesDevice(s)) && utf8.RuneCountInString(s) < 50 {
			return true
		}
	}
	return strings.HasPrefix(s, "von ") && strings.HasSuffix(s, " gesendet")
}

// namesDevice says that a line in lower case names a telephone or a program of mail.
func namesDevice(s string) bool {
	for _, name := range [...]string{"iphone", "ipad", "ipod", "android", "blackberry", "samsung", "galaxy", "outlook", "windows", "mobil", "phone", "handy", "smartphone", "tablet", "yahoo", "gmail", "mail", "huawei", "xiaomi", "htc", "nokia", "sony", "mobiltelefon"} {
		if strings.Contains(s, name) {
			return true
		}
	}
	return false
}

func excuses(s string) bool {
	return strings.Contains(s, "excuse") || strings.Contains(s, "typo") || strings.Contains(s, "brevity") || strings.Contains(s, "forgive") ||
		strings.Contains(s, "kürze") || strings.Contains(s, "tippfehler") || strings.Contains(s, "fehler")
}
