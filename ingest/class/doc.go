// Package class tells what kind of message it is: written by a person, a bounce, an automatic answer, a list, and so on,
// with the evidence for it. It is pure, total and bounded.
package class
