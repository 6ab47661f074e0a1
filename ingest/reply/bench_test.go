package reply

import (
	"strings"
	"testing"
)

// BenchmarkText runs on an answer of 1 KB as most are: text, name, attribution, quotation.
func BenchmarkText(b *testing.B) {
	text := typical
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Text(text)
	}
}

func BenchmarkFromHTML(b *testing.B) {
	s := "<html><body><div>" + strings.ReplaceAll(typical[:500], "\n", "<br>") + "</div><blockquote type=cite>" + strings.ReplaceAll(typical[500:], "\n", "<br>") + "</blockquote></body></html>"
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		FromHTML(s, "", 1<<18)
	}
}

const typical = `Hello,

thank you for the quick answer. I have looked at the invoice again and I still do not understand
why the delivery was charged twice. The order number is 4711-2024, and it arrived on Monday in
two parcels although I had asked for one.

Could you please check it and send me a corrected invoice? I will pay as soon as I have it.
Please use the address that is stored in my account, not the one of last year:

  Ann Example
  12 Long Street
  London

Kind regards,
Ann Example

Sent from my iPhone

On Tue, May 7, 2024 at 10:31 AM Customer Service <service@shop.example>
wrote:

> Dear Ms Example,
>
> thank you for your message. The invoice that you asked for is in your
> account. It was sent on 3 May. If anything is missing, please tell us and
> we will look at it.
>
> Kind regards
> Your customer service
> --
> The Shop, 1 Short Street, London
> Tel. 020 1234567
`
