package language

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestSentences prints the accuracy for single sentences, which are shorter than mails are. A sentence may stay unknown,
// but hardly ever may it be taken for another language; the five together must be known.
func TestSentences(t *testing.T) {
	t.Parallel()
	all, right, unknown := 0, 0, 0
	for _, want := range slices.Sorted(maps.Keys(sentences())) {
		texts := sentences()[want]
		if len(texts) < 5 {
			t.Errorf("%s: %d sentences, want 5", want, len(texts))
		}
		for _, text := range texts {
			all++
			switch got := Detect(text); got {
			case want:
				right++
			case "":
				unknown++
				t.Logf("%s: unknown: %s", want, text)
			default:
				t.Logf("%s: taken for %s: %s", want, got, text)
			}
		}
		if got := Detect(strings.Join(texts, "\n")); got != want {
			t.Errorf("%s: all together are taken for %q", want, got)
		}
	}
	t.Logf("%d of %d sentences are known, %d unknown, %d wrong", right, all, unknown, all-right-unknown)
	if right*100 < all*97 || all-right-unknown > 1 {
		t.Errorf("%d of %d known, %d wrong; want 97 %% and 1 at most", right, all, all-right-unknown)
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	german := "Vielen Dank für Ihre Nachricht, ich habe die Rechnung inzwischen bekommen."
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"blank", " \n\t", ""},
		{"number", "4711-2024", ""},
		{"too short", "ok", ""},
		{"name alone", "Ann Example", ""},
		{"link alone", "https://www.example.com/the/way/to/the/house?of=the&and=in", ""},
		{"symbols", "*** --- !!! 👍👍👍", ""},
		{"address does not mislead", "the.house.of.the@example.com\n" + german, "de"},
		{"links do not mislead", "www.the-and-of-to-in-that-was.example\nhttps://example.com/the-and-of-to-in-that-was-for-you\n" + german, "de"},
		{"quotation does not mislead", german + "\n\n> Thank you for your order. We have sent it to you with the post and it\n> will be there in a few days, if all goes as it should.", "de"},
		{"signature does not mislead", german + "\n\n-- \nWe are the best of all the shops that you will find in this town and in the world.", "de"},
		{"capitals", strings.ToUpper(german), "de"},
		{"letters without accents", "Dekuji za zpravu, ale zasilka porad neprisla a ja uz cekam tri tydny.", "cs"},
		{"umlauts in two letters", "Koennen Sie mir bitte sagen, wann die Lieferung kommt? Ich moechte nicht laenger warten.", "de"},
		{"accents apart", "Je n'ai toujours rien rec\u0327u, pouvez-vous ve\u0301rifier ou\u0300 se trouve le colis ?", "fr"},
		{"two languages in equal parts", "Ich habe das Paket nicht bekommen und warte. I have not received the parcel and I am waiting.", ""},
		{"product in Latin letters", "我的 Samsung Galaxy Watch Ultra 坏了，请帮我看看怎么修理。", "zh"},
		{"Traditional Chinese", "您好，我還沒有收到貨品，請問什麼時候會寄出？", "zh"},
		{"Georgian is not known", "გამარჯობა, მე ჯერ არ მიმიღია შეკვეთა.", ""},
		{"Croatian", "Naručio sam prije dva tjedna, ali još uvijek ništa nije stiglo. Možete li mi reći gdje je paket?", "hr"},
		{"octets that are no text", "\xff\xfe\x00" + german, "de"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Detect(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHostile(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"one word": strings.Repeat("a", 1<<20), "numbers": strings.Repeat("1 ", 1<<19), "quotations": strings.Repeat("> a\n", 1<<18), "accents": strings.Repeat("a\u0301\u0323", 1<<18),
		"marks alone": strings.Repeat("\u0301", 1<<19), "lines": strings.Repeat("\n", 1<<20),
	} {
		start := time.Now()
		Detect(text)
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func FuzzDetect(f *testing.F) {
	for _, texts := range sentences() {
		f.Add(texts[0])
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Detect(text)
		if len(got) != 0 && len(got) != 2 || !utf8.ValidString(got) {
			t.Errorf("%q for %q", got, text)
		}
		if again := Detect(text); again != got {
			t.Errorf("%q, then %q for %q", got, again, text)
		}
	})
}

func BenchmarkDetect(b *testing.B) {
	text := strings.Join(sentences()["de"], " ")
	text += " " + text + " " + text
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Detect(text)
	}
}
