package reply

import "strings"

// isOpener says that attributions begin with this word.
func isOpener(word string) bool {
	switch word {
	case "on", "at", "am", "le", "el", "il", "em", "op", "den", "på", "dnia", "w", "dne", "dňa", "in", "no", "pe", "în", "la",
		"στις", "την", "в", "на", "ngày", "vào", "pada", "dana", "dne:", "a", "kl", "els", "ons", "am:", "ב", "בתאריך", "في", "در", "เมื่อ", "在", "于", "於":
		return true
	}
	return false
}

// isWriting says that a word means writing, as mail programs put it.
func isWriting(word string) bool {
	switch word {
	case "wrote", "writes", "nadesłał", "nadesłała", "sent", "said", "says", "schrieb", "schrieben", "geschrieben", "écrit", "ecrit", "escribió", "escribio", "escrigué", "escriure",
		"scritto", "escreveu", "escribiu", "schreef", "geschreven", "verzond", "skrev", "skrifaði", "kirjoitti", "napisał", "napisała", "napisal", "napisala", "pisze",
		"napsal", "napsala", "napísal", "napísala", "napisao", "napisala/o", "írta", "scris", "yazdı", "yazmış", "написал", "написала", "пишет", "писал", "писала",
		"пише", "написав", "написала:", "написа", "έγραψε", "έγραψαν", "kirjutas", "rakstīja", "rašė", "menulis", "viết", "כתב", "כתבה", "מאת", "كتب", "كتبت", "نوشت", "लिखा", "ने":
		return true
	}
	return false
}

// containsWriting finds such words where no space divides them.
func containsWriting(word string) bool {
	for _, verb := range [...]string{"写道", "寫道", "写：", "のメッセージ", "のメール", "書きました", "작성", "님이", "เขียน"} {
		if strings.Contains(word, verb) {
			return true
		}
	}
	return false
}

// isDateWord says that a word may stand in a date behind its first number.
func isDateWord(word string) bool {
	switch word {
	case "", "at", "am", "pm", "a.m", "p.m", "um", "uhr", "kl", "klo", "à", "a", "as", "às", "alle", "ore", "las", "o", "godz", "v", "в", "г", "г.", "om", "gmt", "utc",
		"de", "del", "of", "h", "i", "på", "to", "heeft", "hat", "użytkownik", "пользователь", "користувач", "est", "edt", "pst", "pdt", "cet", "cest", "time",
		"il", "le", "lúc", "pukul", "στις", "saat", "u", "ob", "from", "от", "via":
		return true
	}
	return len(word) <= 3 || isMonth(word)
}

// isMonth knows the names of months by their first letters, in the languages that write with Latin letters.
func isMonth(word string) bool {
	if len(word) > 12 {
		return false
	}
	switch word[:3] {
	case "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mai", "okt", "dez", "gen", "mag", "giu", "lug", "set", "ott", "dic",
		"ene", "abr", "ago", "fev", "mei", "maj", "juin", "sty", "lut", "kwi", "cze", "lip", "sie", "wrz", "paź", "lis", "gru":
		return true
	}
	return false
}

// isPersonal says that a word is "you", "I" or the like, or begins "my neighbour": nobody's name in a mail program.
func isPersonal(word string) bool {
	switch word {
	case "you", "i", "he", "she", "they", "we", "your", "my", "our", "his", "her", "their", "the", "an", "this", "that", "who", "have", "has", "had",
		"ich", "sie", "du", "ihr", "wir", "er", "mein", "meine", "unser", "unsere", "ihre", "mir", "mich", "uns", "ihnen", "dein", "deine", "der", "die", "das", "ein", "eine", "habe", "haben",
		"je", "tu", "il", "elle", "vous", "nous", "avez", "ai", "j'ai", "mon", "ma", "votre", "notre", "yo", "usted", "ustedes", "mi", "su", "nuestro", "nuestra", "me",
		"io", "lei", "voi", "mio", "mia", "vostro", "eu", "você", "vocês", "meu", "minha", "ik", "u", "jij", "mijn", "uw", "jag", "ni", "jeg", "dere", "min", "mitt",
		"я", "вы", "вам", "мы", "мой", "моя", "ja", "pan", "pani":
		return true
	}
	return false
}
