// Package reply finds what the sender of a message wrote anew: the text without quotation, the line that introduces it,
// and signature. It is pure, total, and linear in time.
//
// No standard says how a mail program quotes; RFC 3676 §4.3 and §4.5 know the signature delimiter and the ">" alone. So
// the package knows five signs of a quotation:
//
//   - lines that begin with ">"
//   - an attribution, "On 3 May 2024 at 10:30, Ann <ann@example.com> wrote:". It is told by its build, a date near the
//     beginning, an address or a clock, a word for writing and a colon, rather than by its language
//   - header lines of the old message, "From: … Sent: … To: … Subject: …", in the languages of the usual programs
//   - a line like "-----Original Message-----", in the same languages
//   - in HTML, the elements in which mail programs put what they quote
//
// Behind such a sign the lines with ">" are left out and what stands between them is kept, as answers in between. If
// the quotation has no ">", all that follows is left out. A line that only might be an attribution counts when ">"
// follows.
//
// A forwarded message is what its sender wants to say, so it is kept with all that follows; from the outside it is
// known by "---------- Forwarded message ----------" and the like alone. A program that forwards with bare header lines
// looks like one that answers with them: there the words above are taken, and the whole where there are none.
//
// A signature is cut at the end of what is new: behind a delimiter, from a formula such as "Best regards", as a block
// of name and addresses, and as "Sent from my phone". Thanks are kept, for they say something, and so is a bare name.
package reply
