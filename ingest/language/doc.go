// Package language tells in which language a text is written. It is pure and bounded.
package language
