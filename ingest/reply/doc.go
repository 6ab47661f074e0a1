// Package reply finds what the sender of a message wrote anew: the text without quotation and signature. It is pure,
// total and bounded.
package reply
