package class

// automaticSubjects begin the subjects of automatic answers, in lower case: what mail systems set in the language of
// their user. Words that people begin a subject with as well stand with the colon that programs set.
var automaticSubjects = []string{
	// English
	"automatic reply", "auto reply:", "auto-reply", "autoreply", "auto reply from", "auto response", "auto-response", "autoresponse", "auto respond", "automatic response",
	"automated reply", "automated response", "[auto-reply]", "(auto reply)", "out of office:", "out of office autoreply", "out of office reply", "out-of-office:",
	"out-of-office reply", "ooo:", "away from my mail", "away notification:", "vacation reply", "vacation response", "vacation message", "i am out of the office", "i'm out of the office",
	"autorespons",
	// German
	"automatische antwort", "autom. antwort", "automailantwort", "abwesenheitsnotiz", "abwesenheitsassistent", "abwesenheitsbenachrichtigung", "abwesenheitsmeldung",
	"automatische abwesenheit", "urlaubsbenachrichtigung",
	// French, Italian, Spanish, Portuguese, Romanian
	"réponse automatique", "reponse automatique", "absence du bureau", "message d'absence", "risposta automatica", "fuori sede:", "fuori ufficio:", "risposta non in sede",
	"respuesta automática", "respuesta automatica", "fuera de la oficina:", "fuera de oficina:", "resposta automática", "resposta automatica", "fora do escritório:", "ausência temporária:",
	"ausente do escritório:", "resposta automàtica", "răspuns automat", "raspuns automat",
	// Dutch and the North
	"automatisch antwoord", "automatische beantwoording", "automatisch bericht", "afwezigheidsbericht", "autosvar", "automatiskt svar", "automatisk svar", "automaattinen vastaus",
	"automaatvastus", "automātiska atbilde", "automatinis atsakymas", "sjálfvirkt svar",
	// Slavic languages, Greek, Hungarian, Turkish
	"odpowiedź automatyczna", "automatyczna odpowiedź", "automatická odpověď", "automatická odpoveď", "автоответ", "автоматический ответ", "автоматична відповідь",
	"автоматичен отговор", "автоматски одговор", "automatski odgovor", "samodejni odgovor", "αυτόματη απάντηση", "automatikus válasz", "házon kívül:", "otomatik yanıt", "otomatik cevap", "ofis dışında:",
	// Asia and the Near East
	"自動応答", "自動返信", "不在通知", "自动答复", "自动回复", "自動回覆", "自動答覆", "자동 응답", "자동 회신", "자동응답", "부재중:", "رد تلقائي", "תשובה אוטומטית", "מענה אוטומטי",
	"ตอบกลับอัตโนมัติ", "thư trả lời tự động", "trả lời tự động", "balasan otomatis",
}
