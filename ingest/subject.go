package ingest

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// BaseSubject is what is left of a subject when everything is taken off that clients and lists put around it when it
// is answered or passed on: prefixes such as "Re:" and "AW[2]:", tags in brackets, and a final "(fwd)"; in lower case, with
// single spaces. It is the idea of RFC 5256 §2.1 with the words of more languages than English. reply says that a prefix was
// found which stands for an answer. The base is empty where nothing is left.
func BaseSubject(subject string) (base string, reply bool) {
	rest := strings.ToLower(strings.Join(strings.FieldsFunc(strings.ToValidUTF8(subject, "\uFFFD"), apart), " "))
	for {
		if short, ok := strings.CutSuffix(rest, "(fwd)"); ok {
			rest = strings.TrimSpace(short)
			continue
		}
		if short, ok := cutTag(rest); ok {
			rest = short
			continue
		}
		short, answers, ok := cutPrefix(rest)
		if !ok {
			return rest, reply
		}
		rest, reply = short, reply || answers
	}
}

// apart are the characters that count as white space: those of Unicode, and what cannot be seen, such as directional marks.
func apart(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// cutTag takes a tag off the front: "[list] …". Brackets inside brackets are not a tag.
func cutTag(s string) (rest string, ok bool) {
	if !strings.HasPrefix(s, "[") {
		return s, false
	}
	end := strings.IndexAny(s[1:], "[]")
	if end < 0 || s[1+end] != ']' {
		return s, false
	}
	return strings.TrimSpace(s[end+2:]), true
}

// maxPrefix is longer than every prefix with its count, in octets.
const maxPrefix = 40

// cutPrefix takes one prefix off the front: a word, a count as in "Re[2]:", "Re(2):", "Re^2:" or "Re 2:", and a colon.
func cutPrefix(s string) (rest string, answers, ok bool) {
	colon := strings.IndexAny(s[:min(len(s), maxPrefix)], ":\uFF1A") // the second one is the wide colon of East Asian text
	if colon < 0 {
		return s, false, false
	}
	_, width := utf8.DecodeRuneInString(s[colon:])
	word := strings.TrimRight(s[:colon], "0123456789[]()^* ")
	kind := prefixKind(word)
	return strings.TrimSpace(s[colon+width:]), kind == answered, kind != 0
}

const (
	answered = iota + 1
	forwarded
)

// prefixKind tells what a word before a colon stands for; 0 if it is part of the subject.
func prefixKind(word string) int {
	switch word {
	case "re", "r", "ref", // English, and most languages; Italian short form
		"aw", "antwort", "antw", "antwoord", // German, Dutch
		"sv", "svar", "vs", "vast", "bls", // Swedish, Danish, Norwegian, Finnish, Indonesian
		"ré", "rép", "réponse", // French
		"res", "resp", "respuesta", "resposta", // Portuguese, Spanish, Catalan
		"rif", "risposta", // Italian
		"odp", "odpověď", "odg", // Polish, Czech, Croatian, Slovenian
		"vá", "válasz", // Hungarian
		"ynt", "yan", "cevap", // Turkish
		"απ", "απάντηση", "σχετ", // Greek
		"ha", "на", "отв", "ответ", "відп", // Russian, Ukrainian
		"răsp", "atb", "atsakymas", // Romanian, Welsh, Lithuanian
		"回复", "回覆", "答复", "答覆", "返信", "회신", "답장", // Chinese, Japanese, Korean
		"השב", "תגובה", "رد", "ตอบ", "trả lời": // Hebrew, Arabic, Thai, Vietnamese
		return answered
	case "fw", "fwd", "forward", "forwarded", // English
		"wg", "weitergeleitet", "doorst", // German, Dutch
		"vb", "vl", "vidarebefordrat", // Swedish, Finnish
		"tr", "transf", "réexp", // French
		"rv", "reenv", "enc", "encaminhado", // Spanish, Portuguese
		"i", "inoltra", // Italian
		"pd", "przek", "předej", // Polish, Czech
		"továbbítás", "tov", // Hungarian
		"ilt", "ιπρ", "πρθ", // Turkish, Greek
		"пересл", "fs", "trs", // Russian, Icelandic, Indonesian
		"转发", "轉寄", "轉發", "転送", "전달", // Chinese, Japanese, Korean
		"הועבר", "إعادة توجيه", "ส่งต่อ", "chuyển tiếp": // Hebrew, Arabic, Thai, Vietnamese
		return forwarded
	}
	return 0
}
