package language

import (
	"math/bits"
	"strings"
	"sync"
	"unicode/utf8"
)

// set are languages of a table, by their place.
type set uint32

// table is what the lists of one script say.
type table struct {
	languages []string
	words     map[string]set
	endings   map[string]set
}

type allTables struct{ latin, cyrillic, arabic *table }

// tables are made of the lists when they are needed first and never change.
var tables = sync.OnceValue(func() *allTables {
	return &allTables{latin: newTable(latinLists()), cyrillic: newTable(cyrillicLists()), arabic: newTable(arabicLists())}
})

func newTable(lists []list) *table {
	t := &table{words: map[string]set{}, endings: map[string]set{}}
	for i, l := range lists {
		t.languages = append(t.languages, l.language)
		for word := range strings.FieldsSeq(l.words) {
			t.words[word] |= 1 << i
			if p := plain(word); p != word && len(p) > 2 && l.language != "vi" {
				t.words[p] |= 1 << i
			}
		}
		for ending := range strings.FieldsSeq(l.endings) {
			t.endings[ending] |= 1 << i
		}
	}
	return t
}

// tally is how much speaks for each language of a table.
type tally struct {
	score [32]int32
	hits  [32]int32 // words that are in its list
	alone [32]int32 // words that are in its list and in no other
	words int32
}

// What a word counts for if it is of one language alone. It divides by 1 to 6.
const unit = 60

func (y *tally) add(word []byte, t *table) {
	y.words++
	weight := int32(unit)
	in, known := t.words[string(word)]
	if known {
		if utf8.RuneCount(word) == 1 {
			weight = unit / 2
		}
		y.give(in, weight, 1)
	} else if n := len(word); n > 4 {
		for k := min(6, n-2); k >= 2; k-- {
			if in, ok := t.endings[string(word[n-k:])]; ok {
				y.give(in, unit/4, 0)
				break
			}
		}
	}
	for i := 0; i < len(word); i++ {
		if word[i] >= utf8.RuneSelf {
			y.letters(word[i:], t)
			return
		}
	}
}

// give divides a weight among languages.
func (y *tally) give(in set, weight, hit int32) {
	n := int32(bits.OnesCount32(uint32(in)))
	share := weight / n
	if n == 1 {
		y.alone[bits.TrailingZeros32(uint32(in))] += hit
	}
	for ; in != 0; in &= in - 1 {
		i := bits.TrailingZeros32(uint32(in))
		y.score[i] += share
		y.hits[i] += hit
	}
}

// letters gives a little for letters that few languages have.
func (y *tally) letters(word []byte, t *table) {
	for len(word) > 0 {
		r, n := utf8.DecodeRune(word)
		word = word[n:]
		if n == 1 {
			continue
		}
		hint := languagesOf(r)
		for hint != "" {
			var l string
			l, hint, _ = strings.Cut(hint, " ")
			for i, name := range t.languages {
				if name == l {
					y.score[i] += unit / 6
				}
			}
		}
	}
}

// languagesOf are the languages that a letter is usual in, if they are few.
func languagesOf(r rune) string {
	switch r {
	case 'ß':
		return "de"
	case 'ñ', '¿', '¡':
		return "es"
	case 'ã', 'õ':
		return "pt"
	case 'œ', 'ê', 'û', 'î':
		return "fr"
	case 'ł', 'ś', 'ź', 'ż', 'ń':
		return "pl"
	case 'ř', 'ů', 'ě':
		return "cs"
	case 'ľ', 'ĺ', 'ŕ':
		return "sk"
	case 'ť', 'ď', 'ň':
		return "cs sk"
	case 'ő', 'ű':
		return "hu"
	case 'ă', 'ț', 'ș', 'ţ':
		return "ro"
	case 'ğ', 'ı':
		return "tr"
	case 'ş':
		return "tr ro"
	case 'ø', 'æ':
		return "da no"
	case 'å':
		return "sv da no"
	case 'ò', 'ì', 'ù':
		return "it"
	case 'ć', 'đ':
		return "hr"
	case 'ė', 'ų', 'į', 'ū':
		return "lt"
	case 'ļ', 'ņ', 'ķ', 'ģ':
		return "lv"
	case 'ơ', 'ư', 'ạ', 'ả', 'ấ', 'ầ', 'ẩ', 'ậ', 'ắ', 'ế', 'ề', 'ể', 'ệ', 'ị', 'ọ', 'ố', 'ồ', 'ổ', 'ộ', 'ớ', 'ờ', 'ở', 'ợ', 'ụ', 'ủ', 'ứ', 'ừ', 'ử', 'ự':
		return "vi"
	case 'ы', 'э', 'ё':
		return "ru"
	case 'і', 'ї', 'є', 'ґ':
		return "uk"
	case 'ъ':
		return "bg"
	case 'ј', 'љ', 'њ', 'ћ', 'ђ', 'џ':
		return "sr"
	case 'ة', 'ى', 'أ', 'إ', 'ك', 'ي':
		return "ar"
	case 'پ', 'چ', 'ژ', 'گ', 'ی', 'ک':
		return "fa"
	case 'ٹ', 'ڈ', 'ڑ', 'ں', 'ے', 'ہ', 'ھ':
		return "ur"
	}
	return ""
}

// best is the language with the highest score, if it is high enough, known by enough of the words, and well above the
// second.
func (y *tally) best(t *table) string {
	first, second := 0, -1
	for i := 1; i < len(t.languages); i++ {
		if y.score[i] > y.score[first] {
			second, first = first, i
		} else if second < 0 || y.score[i] > y.score[second] {
			second = i
		}
	}
	switch score := y.score[first]; {
	case y.words < 2 || score < unit:
		return ""
	case second >= 0 && score*100 < y.score[second]*110:
		return ""
	case y.words >= 8 && y.hits[first]*8 < y.words && score < y.words*unit/8:
		return "" // too few of the words are known
	}
	for i, n := range y.alone {
		if i != first && n >= 3 && n*2 >= y.alone[first] {
			return "" // two languages
		}
	}
	return t.languages[first]
}
