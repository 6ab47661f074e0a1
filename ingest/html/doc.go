// Package html makes two things of the HTML of a mail: plain text that reads well, and HTML that is safe to show. Both
// are bounded in time and memory, whatever the input.
package html
