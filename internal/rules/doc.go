// Package rules holds who may import whom as two tables, and the few rules beside them, and checks the source tree
// against them. Nothing imports it; its test is the check.
package rules
