package tnef

// control acts on the control word that was read.
func (x *Extractor) control() {
	word, n, given := string(x.word[:x.wordLen]), x.number, x.digits > 0
	if x.negative {
		n = -n
	}
	star := x.star
	fresh := x.group.fresh
	x.star, x.group.fresh = false, false
	if word != "u" && x.skip > 0 && word != "bin" {
		x.skip-- // it stands for the character of \u as well
		if text(word) != 0 {
			return
		}
	}
	if r := text(word); r != 0 {
		x.char(r)
		return
	}
	on := !given || n != 0
	g := &x.group
	switch word {
	case "u":
		x.unicode(n)
	case "uc":
		g.uc = max(min(n, 100), 0)
	case "bin":
		x.endRun()
		if x.binary = max(n, 0); x.binary > 0 {
			x.state = inBinary
		}
	case "rtf":
		x.rtf = true
	case "ansicpg":
		x.endRun()
		if given && n > 0 {
			x.page, g.page = n, n
		}
	case "mac":
		x.page, g.page = 10000, 10000
	case "pc":
		x.page, g.page = 437, 437
	case "pca":
		x.page, g.page = 850, 850
	case "fromhtml":
		x.html = x.html || on && len(x.outer) == 1
	case "htmlrtf", "v":
		x.endRun()
		g.hidden = on
	case "deff":
		x.deffont = n
	case "f":
		x.endRun()
		if g.fonts {
			x.font = n
		} else {
			g.page = x.fontPage(n)
		}
	case "fcharset":
		if g.fonts && len(x.fonts) < maxFonts {
			if page := charsetPage(n); page != 0 {
				x.fonts[x.font] = page
			}
		}
	case "plain":
		x.endRun()
		g.page, g.hidden = x.fontPage(x.deffont), g.hidden && x.html
	case "fonttbl":
		g.fonts, g.skipped = true, true
	case "htmltag":
		if star && x.html {
			g.tag = true
			return
		}
		g.skipped = true
	case "pntext", "pntxta", "pntxtb": // the bullet or number of an item of a list
		g.skipped = g.skipped || x.html || word != "pntext"
	default:
		if star || fresh && isDestination(word) {
			g.skipped = true
		}
	}
}

// fontPage is the code page of text in a font.
func (x *Extractor) fontPage(font int) int {
	if page := x.fonts[font]; page != 0 {
		return page
	}
	return x.page
}

// text is the character that a control word stands for; 0 for the others.
func text(word string) rune {
	switch word {
	case "par", "line", "sect", "page", "row", "nestrow", "softline":
		return '\n'
	case "tab", "cell", "nestcell":
		return '\t'
	case "emdash":
		return '\u2014'
	case "endash":
		return '\u2013'
	case "emspace", "enspace", "qmspace":
		return ' '
	case "bullet":
		return '\u2022'
	case "lquote":
		return '\u2018'
	case "rquote":
		return '\u2019'
	case "ldblquote":
		return '\u201c'
	case "rdblquote":
		return '\u201d'
	}
	return 0
}

// isDestination tells the groups without \* whose contents are no text of the body.
func isDestination(word string) bool {
	switch word {
	case "colortbl", "stylesheet", "info", "pict", "nonshppict", "header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf",
		"ftnsep", "ftnsepc", "ftncn", "aftnsep", "aftnsepc", "aftncn", "objdata", "objclass", "objname", "fldinst", "fldtype", "datafield", "listtable",
		"listoverridetable", "revtbl", "rsidtbl", "generator", "xmlnstbl", "filetbl", "themedata", "colorschememapping", "latentstyles", "bkmkstart", "bkmkend",
		"template", "keywords", "comment", "doccomm", "title", "subject", "author", "operator", "xe", "tc", "rxe", "sp", "sn", "sv", "panose", "falt", "fname",
		"mhtmltag", "atnid", "atnauthor", "annotation", "private", "do", "pnseclvl", "pn":
		return true
	}
	return false
}

// charsetPage is the code page of \fcharset; 0 for those that say nothing.
func charsetPage(n int) int {
	switch n {
	case 0:
		return 1252
	case 77:
		return 10000
	case 128:
		return 932
	case 129, 130:
		return 949
	case 134:
		return 936
	case 136:
		return 950
	case 161:
		return 1253
	case 162:
		return 1254
	case 163:
		return 1258
	case 177:
		return 1255
	case 178, 179, 180:
		return 1256
	case 186:
		return 1257
	case 204:
		return 1251
	case 222:
		return 874
	case 238:
		return 1250
	case 254:
		return 437
	case 255:
		return 850
	}
	return 0
}
