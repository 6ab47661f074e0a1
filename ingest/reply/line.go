package reply

import (
	"strings"
	"unicode/utf8"
)

// isRule says that a line is drawn: nothing but three or more dashes, underscores and the like.
func isRule(line string) bool {
	n := 0
	for _, r := range line {
		switch r {
		case '-', '_', '=', '*', '~', '+', '#', '–', '—', '―', '─', '━':
			n++
		case ' ', '\u00a0':
		default:
			return false
		}
	}
	return n >= 3 || n == 1 && len(line) >= 3 // one long dash
}

// isOriginal says that a line announces the message that is answered, such as "-----Original Message-----".
func isOriginal(line string) bool {
	label, ok := label(line)
	if !ok {
		return false
	}
	switch label {
	case "original message", "reply message", "original email", "original appointment", "original mail message",
		"ursprüngliche nachricht", "originalnachricht", "original-nachricht", "antwort nachricht", "ursprüngliche mail", "urspruengliche nachricht", "ursprünglicher termin",
		"message d'origine", "message d’origine", "message original", "message initial", "courriel d'origine", "courriel original",
		"mensaje original", "mensaje de origen", "missatge original",
		"messaggio originale", "messaggio di origine", "messaggio originario",
		"mensagem original", "mensagem de origem",
		"oorspronkelijk bericht", "origineel bericht", "oorspronkelijke bericht",
		"oprindelig meddelelse", "oprindelig besked", "original meddelelse", "original besked", "oprindelig mail",
		"ursprungligt meddelande", "originalmeddelande", "ursprungligt brev",
		"opprinnelig melding", "opprinnelig e-post", "original melding",
		"alkuperäinen viesti", "alkuperäinen sähköposti",
		"wiadomość oryginalna", "oryginalna wiadomość", "oryginalny email", "wiadomość pierwotna",
		"původní zpráva", "původní e-mail", "pôvodná správa",
		"eredeti üzenet", "eredeti levél", "mesaj original", "mesajul original", "mesaj inițial",
		"orijinal ileti", "orijinal mesaj", "özgün ileti", "özgün mesaj", "orjinal mesaj",
		"исходное сообщение", "исходное письмо", "оригинальное сообщение", "первоначальное сообщение",
		"вихідне повідомлення", "оригінальне повідомлення", "початкове повідомлення", "оригинално съобщение", "първоначално съобщение",
		"αρχικό μήνυμα", "izvorna poruka", "izvirno sporočilo", "originalna poruka",
		"原始邮件", "原始郵件", "原邮件", "原郵件", "原始信息", "原始訊息", "原始消息", "回复邮件", "回覆郵件",
		"元のメッセージ", "元のメール", "オリジナルメッセージ", "원본 메시지", "원본 메일", "원본메시지",
		"pesan asli", "thư gốc", "tin nhắn gốc", "thông điệp gốc", "ข้อความต้นฉบับ", "ข้อความเดิม",
		"הודעה מקורית", "ההודעה המקורית", "الرسالة الأصلية", "رسالة أصلية", "پیام اصلی", "मूल संदेश":
		return true
	}
	// Ticket systems mark where the answer has to stand.
	return strings.Contains(label, "above this line") || strings.Contains(label, "oberhalb dieser")
}

// isForward says that a line announces a forwarded message.
func isForward(line string) bool {
	label, ok := label(line)
	if !ok {
		return false
	}
	switch label {
	case "forwarded message", "forwarded email", "forwarded mail", "begin forwarded message", "start forwarded message",
		"weitergeleitete nachricht", "weitergeleitete mail", "weitergeleitete e-mail", "anfang der weitergeleiteten nachricht", "anfang der weitergeleiteten e-mail", "beginn der weitergeleiteten nachricht",
		"message transféré", "message réexpédié", "courriel transféré", "début du message transféré", "début du message réexpédié",
		"mensaje reenviado", "inicio del mensaje reenviado", "missatge reenviat", "inici del missatge reenviat",
		"messaggio inoltrato", "inizio messaggio inoltrato", "mensagem encaminhada", "mensagem reencaminhada", "início da mensagem encaminhada", "início da mensagem reencaminhada",
		"doorgestuurd bericht", "begin doorgestuurd bericht", "videresendt meddelelse", "videresendt besked", "start på videresendt besked", "videresendt melding", "start på videresendt melding",
		"vidarebefordrat meddelande", "vidarebefordrat brev", "vidarebefordrat mejl", "välitetty viesti", "edelleenlähetetty viesti", "välitetty viesti alkaa",
		"wiadomość przekazana dalej", "przekazana wiadomość", "początek przekazywanej wiadomości", "treść przekazanej wiadomości",
		"přeposlaná zpráva", "předaná zpráva", "začátek přeposlané zprávy", "preposlaná správa", "začiatok preposlanej správy",
		"továbbított üzenet", "továbbított levél", "a továbbított levél kezdete", "mesaj redirecționat", "mesaj redirectionat", "începutul mesajului redirecționat",
		"пересылаемое сообщение", "пересланное сообщение", "пересылаемое письмо", "начало переадресованного сообщения", "начало пересылаемого сообщения",
		"переслане повідомлення", "початок листа, що пересилається", "препратено съобщение",
		"yönlendirilen mesaj", "iletilen mesaj", "iletilmiş mesaj", "iletilen ileti", "yönlendirilmiş ileti", "προωθημένο μήνυμα", "έναρξη προωθημένου μηνύματος",
		"转发的邮件", "转发邮件", "轉寄郵件", "轉寄的郵件", "已转发的邮件", "开始转发的邮件", "下面是被转发的邮件", "下面是轉寄的郵件", "開始轉寄郵件",
		"転送メッセージ", "転送されたメッセージ", "転送メール", "전달된 메시지", "전달된 메일", "전달된 메시지 시작",
		"pesan terusan", "pesan yang diteruskan", "thư đã chuyển tiếp", "thư được chuyển tiếp", "tin nhắn đã chuyển tiếp", "ข้อความที่ส่งต่อ",
		"הודעה שהועברה", "الرسالة المُعاد توجيهها", "رسالة معاد توجيهها", "رسالة محولة", "پیام هدایت\u200cشده", "अग्रेषित संदेश", "proslijeđena poruka", "posredovano sporočilo":
		return true
	}
	return strings.HasPrefix(label, "forwarded by ") || strings.HasPrefix(label, "forwarded message from ")
}

// label is what stands between the dashes of a line like "----- Original Message -----", or before the colon of one like
// "Begin forwarded message:", in lower case.
func label(line string) (string, bool) {
	if len(line) > 160 || len(line) < 8 {
		return "", false
	}
	drawn := strings.TrimLeft(line, " *#=>\u00a0")
	inner := strings.TrimLeft(drawn, "-–—_ \u00a0")
	dashes := len(drawn) - len(inner)
	switch {
	case dashes >= 2 || len(line)-len(drawn) >= 2 && strings.HasPrefix(line, "#"):
	case strings.HasSuffix(line, ":") || strings.HasSuffix(line, "："):
		if utf8.RuneCountInString(line) > 50 {
			return "", false
		}
	default:
		return "", false
	}
	inner = strings.TrimRight(inner, "-–—_ *#=:：\u00a0")
	return strings.ToLower(inner), inner != ""
}
