package html

import (
	"strings"
	"testing"
)

// newsletter makes HTML of about size octets as newsletters have it.
func newsletter(size int) string {
	const head = `<html><head><style>p.text {margin:0 0 12px;color:#333} a {color:#06c} @media screen {.w {width:100% !important}}</style></head>
<body bgcolor="#f4f4f4"><div style="display:none;max-height:0">Preview</div><table width="600" cellpadding="0" cellspacing="0" align="center"><tbody>
`
	const row = `<tr><td style="padding:10px 20px;font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:20px;color:#333333" valign="top">
<h2 style="margin:0;font-size:18px">An offer of the week</h2><p class="text">Dear customer, this is a line of text as people write it, with a <a href="https://www.example.com/offers?id=4711&amp;utm_source=mail" style="color:#0066cc;text-decoration:none">link</a> in it &ndash; and <b>more</b>&nbsp;text.</p>
<img src="https://www.example.com/picture.png" width="560" height="200" alt="A picture" style="display:block;border:0"></td></tr>
`
	return head + strings.Repeat(row, max(1, (size-len(head))/len(row))) + "</tbody></table></body></html>"
}

func BenchmarkText(b *testing.B) {
	for name, s := range map[string]string{"10KB": newsletter(10 << 10), "100KB": newsletter(100 << 10)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for range b.N {
				Text(s, 256<<10)
			}
		})
	}
}

func BenchmarkSafe(b *testing.B) {
	for name, s := range map[string]string{"10KB": newsletter(10 << 10), "100KB": newsletter(100 << 10)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for range b.N {
				Safe(s, 1<<20, Policy{})
			}
		})
	}
}
